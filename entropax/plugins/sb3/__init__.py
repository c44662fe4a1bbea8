"""Stable-Baselines3: measure the entropy of its SAC and PPO, steer it with our laws, and judge the run.

```python
from stable_baselines3 import SAC

from entropax.plugins.sb3 import EntropyCallback, LawAlpha
from entropax.temperature import PI, FromSigma

SAC("MlpPolicy", "Pendulum-v1").learn(20_000, EntropyCallback(LawAlpha(PI(target_entropy=FromSigma(0.2)))))
```

Raises:
    EntropaxError: on import, where Stable-Baselines3 is not installed.
"""

import importlib.util

from entropax.errors import EntropaxError

if importlib.util.find_spec("stable_baselines3") is None:
    raise EntropaxError(
        "entropax.plugins.sb3 works inside Stable-Baselines3, which is not installed here. Install it with: "
        'pip install "entropax[sb3]"'
    )

from entropax.plugins.sb3.alpha import AbstractAlpha, LawAlpha, TheirAlpha
from entropax.plugins.sb3.callback import EntropyCallback, FindingWarning

__all__ = ["AbstractAlpha", "EntropyCallback", "FindingWarning", "LawAlpha", "TheirAlpha"]
