"""Great Expectations suites as functions that return a report."""

from tasks.quality.agreement import AgreementLimits
from tasks.quality.drift import LIMITS as DRIFT_LIMITS
from tasks.quality.drift import Since
from tasks.quality.embeddings import EmbeddingLimits, check_embeddings
from tasks.quality.origins import Extracted
from tasks.quality.prepared import DatasetTables, check_dataset
from tasks.quality.profile import Profile
from tasks.quality.refit import RefitFacts, check_refit
from tasks.quality.report import Check, Report

__all__ = [
    "DRIFT_LIMITS",
    "AgreementLimits",
    "Check",
    "DatasetTables",
    "EmbeddingLimits",
    "Extracted",
    "Profile",
    "RefitFacts",
    "Report",
    "Since",
    "check_dataset",
    "check_embeddings",
    "check_refit",
]
