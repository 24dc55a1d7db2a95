"""Which models are of which kind, as the registry says: a new model is tested without a list to add it to."""

from __future__ import annotations

from tasks.models import MODELS, model_class
from tasks.models.families.gradient import GradientModel

GRADIENT = [name for name in MODELS if issubclass(model_class(name), GradientModel)]
CONTENT = [name for name in MODELS if model_class(name).uses_content]
GRADIENT_CONTENT = [name for name in GRADIENT if name in CONTENT]
