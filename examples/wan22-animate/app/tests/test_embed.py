"""Prompts as tensors: the file, the image's own prompt, the text encoder's names."""

import contextlib
import importlib.util
import io
import json
import sys
import unittest
from pathlib import Path
from unittest import mock

import embed
import handler
import order
from errors import InputError, StartError, Stopped

from tests.support import Case, fill, model_json

TORCH = unittest.skipUnless(
    all(map(importlib.util.find_spec, ("torch", "transformers", "safetensors", "ftfy"))), "torch and transformers aren't here"
)
SIZES = {"vocab_size": 300, "d_model": 16, "d_kv": 4, "num_heads": 4, "d_ff": 24, "num_layers": 2}


def header(path, names):
    text = json.dumps({"__metadata__": names}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)


class FileTest(Case):
    def test_prompts_without_torch(self):
        path = self.home / "prompt.safetensors"
        header(path, {"prompt.1": "bad", "prompt.0": "a person"})
        self.assertEqual(embed.prompts(path), ["a person", "bad"])
        for asked in (order.PROMPT, order.NEGATIVE):  # upstream's mean the image's own
            embed.check(asked, path)
        self.enterContext(mock.patch("embed.clean", str.strip))  # without ftfy
        embed.check(" a person", path)
        with self.assertRaisesRegex(InputError, "no text encoder, only its own prompt: leave out prompt and negative_prompt"):
            embed.check("a cat", path)
        self.assertEqual(embed.own_of(order.PROMPT, ["a person", "bad"]), "a person")

    def test_files_that_are_none(self):
        path = self.home / "prompt.safetensors"
        with self.assertRaisesRegex(StartError, "make it with handler.py --embed where a text encoder is"):
            embed.prompts(path)
        for content in (b"", b"{}", b"\x02\0\0\0\0\0\0\0{}", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0[]"):
            path.write_bytes(content)
            with self.assertRaisesRegex(StartError, "holds no prompt"):
                embed.prompts(path)

    def test_weights_of_another_model(self):
        with self.assertRaisesRegex(StartError, "2 weights of another model: blocks.0.cross.q.weight"):
            embed.renamed({"norm.weight": 1, "lm_head.weight": 1, "blocks.0.cross.q.weight": 1})

    def test_no_encoder(self):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            self.assertEqual(handler.embed_prompt("x", self.home / "p", self.settings()), 1)
        self.assertIn("this image has no text encoder", said.getvalue())


class RememberedTest(unittest.TestCase):
    def test_the_last_prompts_and_no_more(self):
        encoder, made = embed.Encoder(Path()), []
        encoder._encode = lambda prompt, _: made.append(prompt) or prompt
        with mock.patch("embed.clean", str):
            for number in range(100):
                for _ in range(2):
                    self.assertEqual(encoder.rows(f"{number}"), f"{number}")
        self.assertEqual((len(made), len(encoder._known)), (100, embed.REMEMBERED))


@TORCH
class EncoderTest(Case):
    def setUp(self):
        super().setUp()
        import torch
        from transformers import UMT5Config, UMT5EncoderModel

        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.model = UMT5EncoderModel(UMT5Config(**SIZES, dropout_rate=0.0, feed_forward_proj="gated-gelu")).eval()
        names = {ours: theirs for theirs, ours in embed.PARTS.items()}
        state = {"token_embedding.weight": self.model.shared.weight, "norm.weight": self.model.encoder.final_layer_norm.weight}
        for key, one in self.model.encoder.named_parameters():
            if key.startswith("block."):
                _, number, part = key.split(".", 2)
                state[f"blocks.{number}.{names[part]}"] = one
        self.directory = self.home / "umt5"
        self.directory.mkdir()
        torch.save({key: one.detach().clone() for key, one in state.items()}, self.directory / embed.WEIGHTS)
        tokens(self.directory / embed.TOKENIZER)

    def test_as_the_model_gives_it_with_padding(self):
        """One row per token, padded with zeros, as upstream makes of 512 padded tokens and their mask."""
        import torch

        made = embed.Encoder(self.directory, sizes=SIZES)("a  person\n&amp; a cat")
        self.assertEqual(tuple(made.shape), (512, 16))
        given = embed.tokenizer(self.directory)("a person & a cat", padding="max_length", max_length=512, return_tensors="pt")
        count = int(given.attention_mask.sum())
        with torch.no_grad():
            wanted = self.model(given.input_ids, given.attention_mask).last_hidden_state[0]
        self.assertGreater(count, 3)
        torch.testing.assert_close(made[:count], wanted[:count], atol=1e-5, rtol=1e-5)
        self.assertEqual(made[count:].abs().max().item(), 0)
        torch.testing.assert_close(embed.Encoder(self.directory, sizes=SIZES)("long " * 900).shape, torch.Size((512, 16)))

    def test_a_job_that_is_stopped_ends_within_a_layer(self):
        import torch

        encoder, ran, looked = embed.Encoder(self.directory, sizes=SIZES), [], []

        def look(last):
            if len(ran) >= last:
                raise Stopped

        def stop_loading(last):
            looked.append(1)
            if len(looked) == last:
                raise Stopped

        for last in range(1, 20):  # each layer is moved to its device by itself
            looked.clear()
            with self.assertRaises(Stopped):
                encoder("a person", lambda last=last: stop_loading(last))
            self.assertIsNone(encoder._model)
        wanted = encoder("a person")
        layers = [one for one in encoder._model.modules() if isinstance(one, torch.nn.Linear)]
        self.assertEqual(len(layers), 2 * 7)
        hooks = [one.register_forward_hook(lambda *_: ran.append(1)) for one in layers]
        for last in range(len(layers)):
            ran.clear()
            with self.assertRaises(Stopped):
                encoder("a cat", lambda last=last: look(last))
            self.assertEqual(len(ran), last)
        for hook in hooks:
            hook.remove()
        encoder._known.clear()
        self.assertTrue(torch.equal(encoder("a person"), wanted))
        prompts = embed.Prompts(self.home / "none", encoder)
        with self.assertRaises(Stopped):
            prompts("a dog", lambda: look(0))

    def test_made_kept_and_read(self):
        import torch

        encoder, path = embed.Encoder(self.directory, sizes=SIZES), self.home / "prompt.safetensors"
        said = embed.make("a person  walks", encoder, path)
        self.assertRegex(said, r"\d+ rows of 16, \d+ rows of 16")
        again = self.home / "again"
        embed.make("a person  walks", embed.Encoder(self.directory, sizes=SIZES), again)
        self.assertEqual(path.read_bytes(), again.read_bytes())
        self.assertEqual(embed.prompts(path), ["a person walks", embed.clean(order.NEGATIVE)])
        kept = embed.Prompts(path, None)
        wanted = encoder("a person walks")
        for asked in ("a person walks", " a  person walks", order.PROMPT):
            self.assertTrue(torch.equal(kept(asked), wanted))
        self.assertTrue(torch.equal(kept(order.NEGATIVE), encoder(order.NEGATIVE)))
        with self.assertRaisesRegex(InputError, "no text encoder"):
            kept("another")
        both = embed.Prompts(path, encoder)
        self.assertTrue(torch.equal(both("another"), encoder("another")))
        self.assertTrue(torch.equal(both(order.PROMPT), encoder(order.PROMPT)))

    def test_lengths_that_the_transformer_does_not_take(self):
        import torch

        for shape in ((513, 16), (0, 16), (16,), (1, 4, 16)):
            with self.assertRaisesRegex(StartError, "it must have 1 to 512 rows"):
                embed.padded(torch.zeros(shape))

    def test_damaged(self):
        path = self.home / "prompt.safetensors"
        embed.make("x", embed.Encoder(self.directory, sizes=SIZES), path)
        path.write_bytes(path.read_bytes()[:-1])
        with self.assertRaisesRegex(StartError, "is damaged"):
            embed.Prompts(path, None)
        (self.directory / embed.WEIGHTS).write_bytes(b"cut")
        with self.assertRaisesRegex(StartError, "can't be loaded"):
            embed.Encoder(self.directory, sizes=SIZES)("x")

    def test_the_command(self):
        content = {path.relative_to(self.directory).as_posix(): path.read_bytes() for path in self.directory.rglob("*") if path.is_file()}
        self.env |= {"MODEL_LIST_TEXT_ENCODER": str(self.home / "t5.json"), "MODEL_PATH_TEXT_ENCODER": str(self.directory)}
        (self.home / "t5.json").write_text(model_json(content))
        said, path = io.StringIO(), self.home / "out.safetensors"
        with mock.patch.dict("os.environ", self.env), mock.patch("embed.SIZES", SIZES), contextlib.redirect_stdout(said):
            self.assertEqual(handler.main(["--embed", "a person", "--to", str(path)]), 0)
        self.assertIn("rows of 16", said.getvalue())
        self.assertEqual(embed.prompts(path)[0], "a person")
        with mock.patch("embed.FILE", path), contextlib.redirect_stdout(said):
            self.assertEqual(handler.main(["--check", "prompt"]), 0)
            path.unlink()
            self.assertEqual(handler.main(["--check", "prompt"]), 1)
        self.assertIn("prompt: out.safetensors can't be read", said.getvalue())


def tokens(directory):
    """Make a tokenizer that knows a few pieces of text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import T5TokenizerFast

    pieces = ["<pad>", "</s>", "<unk>", "▁", *(chr(code) for code in range(33, 127)), "▁a", "▁person"]
    made = Tokenizer(models.Unigram([(piece, -1.0 - at / 100) for at, piece in enumerate(pieces)], unk_id=2))
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    T5TokenizerFast(tokenizer_object=made, extra_ids=0).save_pretrained(directory)
