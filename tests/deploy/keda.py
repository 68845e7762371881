"""KEDA's own kinds, as far as the manifests use them: the fields of its custom resource definitions, and no others.

Kubernetes itself would refuse what is not in those; its schemas hold the kinds of Kubernetes alone.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_Count = Annotated[int, Field(ge=0)]
_Name = Annotated[str, Field(min_length=1)]


class _Fields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Metadata(_Fields):
    name: _Name


class _Kind(_Fields):
    apiVersion: Literal["keda.sh/v1alpha1"]
    metadata: Metadata


class SecretTarget(_Fields):
    parameter: Literal["connection", "host", "port", "userName", "password", "dbName", "sslmode"]
    name: _Name
    key: _Name


class Authentication(_Fields):
    secretTargetRef: list[SecretTarget]


class TriggerAuthentication(_Kind):
    kind: Literal["TriggerAuthentication"]
    spec: Authentication


class Policy(_Fields):
    type: Literal["Pods", "Percent"]
    value: Annotated[int, Field(gt=0)]
    periodSeconds: Annotated[int, Field(gt=0, le=1800)]


class Rules(_Fields):
    stabilizationWindowSeconds: Annotated[int, Field(ge=0, le=3600)]
    policies: list[Policy]


class Behavior(_Fields):
    scaleDown: Rules


class Autoscaler(_Fields):
    behavior: Behavior


class Advanced(_Fields):
    horizontalPodAutoscalerConfig: Autoscaler


class Question(_Fields):
    """Metadata of a `postgresql` trigger; all of KEDA's metadata are text, numbers too."""

    query: _Name
    targetQueryValue: Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")]
    activationTargetQueryValue: Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")] = "0"


class Trigger(_Fields):
    type: Literal["postgresql"]
    authenticationRef: Metadata
    metadata: Question


class Scaling(_Fields):
    scaleTargetRef: Metadata
    pollingInterval: _Count = 30
    cooldownPeriod: _Count = 300
    minReplicaCount: _Count = 0
    maxReplicaCount: _Count = 100
    advanced: Advanced
    triggers: Annotated[list[Trigger], Field(min_length=1)]


class ScaledObject(_Kind):
    kind: Literal["ScaledObject"]
    spec: Scaling


KINDS: dict[str, type[BaseModel]] = {kind.__name__: kind for kind in (TriggerAuthentication, ScaledObject)}


def check(manifest: dict[str, Any]) -> None:
    """Raises pydantic.ValidationError where KEDA would not know a field, or would refuse its value."""
    KINDS[manifest["kind"]].model_validate(manifest)
