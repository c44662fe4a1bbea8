"""TRL's GRPO with and without a controller of the entropy, on a random transformer of a layer: half a minute on a CPU.

pip install ".[trl]"
python examples/trl_control.py
"""

import tempfile

from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, set_seed
from trl import GRPOConfig

from entropax.llm import Clip, Controller, RepoBeta, ScoreBonus
from entropax.plugins.trl import EntropyGRPOTrainer
from entropax.temperature import Clamp, Nats, StepRule

WORDS = ["<pad>", "<eos>", *"abcdefgh"]
inner = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="a"))
inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", eos_token="<eos>", padding_side="left")
prompts = Dataset.from_dict({"prompt": [f"{a} {b}" for a in WORDS[2:] for b in WORDS[2:]]})


def model():
    """A policy close to uniform over ten words."""
    set_seed(0)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1}
    shape |= {"num_hidden_layers": 1, "initializer_range": 0.2, "pad_token_id": 0, "eos_token_id": 1}
    return Qwen2ForCausalLM(Qwen2Config(vocab_size=len(WORDS), max_position_embeddings=64, **shape))


def share_of_a(completions, **_):
    """The reward: how much of a completion is the letter a."""
    return [completion.split().count("a") / 6 for completion in completions]


def run(method, **steered):
    """The entropy of every optimiser step, nats a token."""
    sizes = {"per_device_train_batch_size": 16, "num_generations": 8, "max_completion_length": 6, "max_steps": 40}
    quiet = {"logging_steps": 1, "save_strategy": "no", "report_to": [], "disable_tqdm": True}
    args = GRPOConfig(tempfile.mkdtemp(), learning_rate=5e-3, use_cpu=True, bf16=False, **sizes, **quiet)
    named = {"train_dataset": prompts, "processing_class": tokenizer, "method": method, **steered}
    trainer = EntropyGRPOTrainer(model(), share_of_a, args, **named)
    trainer.train()
    return [row["entropax/entropy"] for row in trainer.state.log_history if "entropax/entropy" in row]


law = StepRule(0.1, dead_band=0.0, initial_alpha=1e-8, target_entropy=Nats(1.6), band=Clamp(1e-8, 0.5))
controller = Controller(law, RepoBeta(high=0.5), vocabulary=len(WORDS))
free, held = run(Clip()), run(ScoreBonus(), controller=controller)
for name, entropies in (("without", free), ("with a controller", held)):
    print(
        f"{name:>17}: {entropies[0]:.2f} nats a token at first, {sum(entropies[-10:]) / 10:.2f} in the last ten steps"
    )
