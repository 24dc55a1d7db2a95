"""Who may read the page, and who may start a rollback: Airflow's own rights, those of runs of DAGs."""

from __future__ import annotations

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import requires_access_dag

NIGHTLY, ROLL_BACK = "retrain_nightly", "roll_back"

# Not the view "plugins", which FAB gives to operators alone: who may see runs of the DAG may see what they made.
may_read = requires_access_dag("GET", DagAccessEntity.RUN, NIGHTLY)


def may_roll_back(user: BaseUser) -> bool:
    """Whether Airflow would let a user start a run of the DAG `roll_back`."""
    manager: BaseAuthManager[BaseUser] = get_auth_manager()
    return manager.is_authorized_dag(
        method="POST", access_entity=DagAccessEntity.RUN, details=DagDetails(id=ROLL_BACK), user=user
    )
