"""Fixtures of several files of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import Settings
from tests.broker import KafkaSettings
from tests.integration.receiving import PATIENT


@pytest.fixture(name="patient_settings")
def _patient_settings(kafka_settings: KafkaSettings) -> Settings:
    """Settings of a patient gateway, whose topics exist."""
    return kafka_settings(PATIENT)


@pytest.fixture(name="patient_path")
def _patient_path(kafka_settings: KafkaSettings) -> Path:
    """The same as a file."""
    return kafka_settings.write(PATIENT)
