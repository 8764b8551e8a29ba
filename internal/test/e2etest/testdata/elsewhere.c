/* Another day and another file system, in the place of libeatmydata.so: the clock is 400 days
   ahead, and directories are read from the end. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#define AHEAD (400 * 86400)
#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

int clock_gettime(clockid_t id, struct timespec *t) {
	int failed = REAL(clock_gettime)(id, t);
	if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		t->tv_sec += AHEAD;
	return failed;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
	int failed = REAL(gettimeofday)(t, zone);
	if (!failed)
		t->tv_sec += AHEAD;
	return failed;
}

time_t time(time_t *t) {
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (t)
		*t = now.tv_sec;
	return now.tv_sec;
}

struct directory {
	DIR *dir;
	struct dirent *entries;
	size_t left;
	struct directory *next;
};

static struct directory *directories;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct directory *opened(DIR *dir) {
	struct directory *f = directories;
	while (f && f->dir != dir)
		f = f->next;
	return f;
}

static void forget(DIR *dir) {
	for (struct directory **at = &directories; *at; at = &(*at)->next)
		if ((*at)->dir == dir) {
			struct directory *f = *at;
			*at = f->next;
			free(f->entries);
			free(f);
			return;
		}
}

struct dirent *readdir(DIR *dir) {
	pthread_mutex_lock(&lock);
	struct directory *f = opened(dir);
	if (!f) {
		f = calloc(1, sizeof *f);
		f->dir = dir, f->next = directories, directories = f;
		for (struct dirent *e; (e = REAL(readdir)(dir)); f->left++) {
			f->entries = realloc(f->entries, (f->left + 1) * sizeof *e);
			memcpy(&f->entries[f->left], e, e->d_reclen);
		}
	}
	struct dirent *entry = f->left ? &f->entries[--f->left] : NULL;
	pthread_mutex_unlock(&lock);
	return entry;
}

struct dirent64 *readdir64(DIR *dir) { return (struct dirent64 *)readdir(dir); }

void rewinddir(DIR *dir) {
	pthread_mutex_lock(&lock);
	forget(dir);
	pthread_mutex_unlock(&lock);
	REAL(rewinddir)(dir);
}

int closedir(DIR *dir) {
	pthread_mutex_lock(&lock);
	forget(dir);
	pthread_mutex_unlock(&lock);
	return REAL(closedir)(dir);
}
