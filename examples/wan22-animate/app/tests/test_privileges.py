"""A start as root."""

import json
import os
import pwd
import subprocess
import sys
import unittest

import privileges
from errors import StartError

from tests.support import APP, Case, tree

CODE = f"""
import json, os, sys
sys.path[:0] = [{str(APP)!r}]
import privileges, settings
privileges.leave(settings.read(os.environ))
try:
    os.setuid(0)
except PermissionError:
    pass
print(json.dumps([os.getresuid(), os.getresgid(), os.getgroups(), os.environ.get("HOME")]))
"""


@unittest.skipUnless(os.geteuid() == 0, "only root can leave root")
class PrivilegesTest(Case):
    def leave(self, **env):
        """Return the identity of a process that drops root, and its output."""
        self.home.chmod(0o755)
        done = subprocess.run([sys.executable, "-S", "-B", "-c", CODE], env=self.env | env, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout), done.stderr

    def test_for_good(self):
        nobody = pwd.getpwnam("nobody")
        (uids, gids, groups, home), said = self.leave(APP_USER="nobody")
        self.assertEqual((uids, gids, groups, home), ([nobody.pw_uid] * 3, [nobody.pw_gid] * 3, [], nobody.pw_dir))
        self.assertIn("started as root, switching to nobody", said)

    def test_the_volume_s_directories_are_given(self):
        old = self.home / "volume/models/Wan2.2-Animate-14B"
        old.mkdir(parents=True)
        (old / "config.json").touch()
        (old / "link").symlink_to(self.home / "model.json")
        (self.home / "volume/other").mkdir()
        self.leave(APP_USER="nobody")
        owners = {path: (self.home / "volume" / path).lstat().st_uid for path in ("models", "other", *tree(self.home / "volume"))}
        given = {path for path, uid in owners.items() if uid == pwd.getpwnam("nobody").pw_uid}
        self.assertEqual(given, {"models", "models/Wan2.2-Animate-14B/config.json", "models/Wan2.2-Animate-14B/link"})
        self.assertEqual((self.home / "model.json").stat().st_uid, 0)

    def test_a_volume_that_leads_elsewhere(self):
        (self.home / "elsewhere").mkdir()
        (self.home / "volume").mkdir()
        (self.home / "volume/models").symlink_to(self.home / "elsewhere")
        self.leave(APP_USER="nobody")
        self.assertEqual((self.home / "elsewhere").stat().st_uid, 0)
        self.assertEqual(list((self.home / "elsewhere").iterdir()), [])

    def test_without_the_user(self):
        with self.assertRaisesRegex(StartError, "there is no user nobody-here to switch to: set APP_USER"):
            privileges.leave(self.settings(APP_USER="nobody-here"))

    def test_whoever_asks_for_root(self):
        self.assertEqual(self.leave(APP_USER="root")[0][0], [0, 0, 0])
