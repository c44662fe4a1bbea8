"""TRL: any method of `entropax.llm` inside its GRPOTrainer, and a controller of the entropy beside it.

```python
from entropax.llm import ScoreBonus
from entropax.plugins.trl import EntropyGRPOTrainer

EntropyGRPOTrainer(model, reward, args, train_dataset=prompts, method=ScoreBonus()).train()
```

Raises:
    EntropaxError: on import, where TRL is not installed.
"""

import importlib.util

from entropax.errors import EntropaxError

if importlib.util.find_spec("trl") is None:
    raise EntropaxError(
        "entropax.plugins.trl works inside TRL, which is not installed here. Install it with: pip install "
        '"entropax[trl]"'
    )

from entropax.plugins.trl.inputs import EmptyBatchWarning
from entropax.plugins.trl.trainer import EntropyGRPOTrainer
from entropax.plugins.versions import UntestedVersionWarning

__all__ = ["EmptyBatchWarning", "EntropyGRPOTrainer", "UntestedVersionWarning"]
