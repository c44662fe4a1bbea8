"""A language model of a few thousand parameters, its tokenizer, and TRL's settings; nothing is downloaded."""

import pytest

LETTERS = "abcdefgh"


THEIRS = ("torch", "transformers", "accelerate", "datasets", "trl", "verl", "ray", "tensordict", "importlib", "flax")


def pytest_collection_modifyitems(items):
    """Our warnings are errors, as everywhere; what the trainers' libraries announce to one another is not."""
    for item in items:
        for kind in ("FutureWarning", "DeprecationWarning"):
            item.add_marker(pytest.mark.filterwarnings(f"ignore::{kind}"))
        for module in THEIRS:
            item.add_marker(pytest.mark.filterwarnings(f"ignore:::{module}"))


@pytest.fixture(scope="session")
def tokenizer():
    """A letter a token."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate(["<pad>", "<eos>", *LETTERS])}
    inner = Tokenizer(models.WordLevel(words, unk_token="a"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", eos_token="<eos>", padding_side="left")


@pytest.fixture(scope="session")
def model_path(tokenizer, tmp_path_factory):
    """A random Qwen2 of one layer, on disk."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
        initializer_range=0.2,
    )
    path = tmp_path_factory.mktemp("model")
    Qwen2ForCausalLM(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return str(path)


@pytest.fixture(scope="session")
def prompts():
    """Prompts of two letters."""
    from datasets import Dataset

    return Dataset.from_dict({"prompt": [f"{a} {b}" for a in LETTERS for b in LETTERS]})


@pytest.fixture
def settings(tmp_path):
    """A GRPOConfig: eight completions of a prompt a step, on the CPU, logged every step."""
    from trl import GRPOConfig

    def make(**changed):
        defaults = {
            "output_dir": str(tmp_path / "run"),
            "per_device_train_batch_size": 8,
            "num_generations": 8,
            "max_completion_length": 6,
            "learning_rate": 1e-2,
            "lr_scheduler_type": "constant",
            "max_steps": 2,
            "logging_steps": 1,
            "save_strategy": "no",
            "report_to": [],
            "use_cpu": True,
            "bf16": False,
            "gradient_checkpointing": False,
            "disable_tqdm": True,
            "seed": 0,
        }
        return GRPOConfig(**{**defaults, **changed})

    return make


def share_of_a(completions, **_):
    """Reward: the share of the letter a."""
    return [completion.split().count("a") / 6 for completion in completions]


@pytest.fixture
def make_trainer(model_path, tokenizer, prompts):
    """A trainer of the tiny model: ours with a method, TRL's own without."""
    from transformers import AutoModelForCausalLM
    from trl import GRPOTrainer

    def make(args, cls=GRPOTrainer, **keywords):
        model = AutoModelForCausalLM.from_pretrained(model_path)
        named = {"train_dataset": prompts, "processing_class": tokenizer, **keywords}
        return cls(model, share_of_a, args, **named)

    return make


@pytest.fixture
def trained(make_trainer):
    """A trainer that has trained; its random numbers begin where it is made."""

    def train(*arguments, resume=None, **keywords):
        trainer = make_trainer(*arguments, **keywords)
        trainer.train(resume_from_checkpoint=resume)
        return trainer

    return train
