"""Sessions, service mode and training, the care of devices, addresses of home beds."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0003"
down_revision: Final = "0002"

ID: Final = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _association()
    _session_mark()
    _service_window()
    _device_care()
    _home_address()


def _association() -> None:
    with op.batch_alter_table("association", recreate="always") as table:
        table.add_column(sa.Column("end_reason", sa.String(length=12), nullable=True))
        table.add_column(sa.Column("idle_at", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("voided_at", sa.BigInteger(), nullable=True))
    op.create_index("association_by_subject", "association", ["subject", "start_at"], unique=False)


def _session_mark() -> None:
    op.create_table(
        "session_mark",
        sa.Column("id", ID, nullable=False),
        sa.Column("unit", sa.String(length=48), nullable=False),
        sa.Column("mark", sa.String(length=8), nullable=False),
        sa.Column("subject", sa.String(length=36), nullable=True),
        sa.Column("source", sa.String(length=12), nullable=True),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("event_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["unit"], ["unit.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("session_mark_by_unit", "session_mark", ["unit", "event_at"], unique=False)


def _service_window() -> None:
    op.create_table(
        "service_window",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("unit", sa.String(length=48), nullable=False),
        sa.Column("device", sa.String(length=48), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("started_by", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["unit"], ["unit.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("service_window_by_state", "service_window", ["state", "ended_at"], unique=False)
    op.create_index("service_window_by_unit", "service_window", ["unit", "started_at"], unique=False)


def _device_care() -> None:
    op.create_table(
        "device_care",
        sa.Column("unit", sa.String(length=48), nullable=False),
        sa.Column("device", sa.String(length=48), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=True),
        sa.Column("calibration_due", sa.String(length=10), nullable=True),
        sa.ForeignKeyConstraint(["unit"], ["unit.id"]),
        sa.PrimaryKeyConstraint("unit", "device"),
    )
    op.create_index("device_care_by_due", "device_care", ["calibration_due"], unique=False)
    op.create_table(
        "device_serial",
        sa.Column("id", ID, nullable=False),
        sa.Column("unit", sa.String(length=48), nullable=False),
        sa.Column("device", sa.String(length=48), nullable=False),
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("from_at", sa.BigInteger(), nullable=False),
        sa.Column("to_at", sa.BigInteger(), nullable=True),
        sa.Column("recorded_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["unit"], ["unit.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("device_serial_by_device", "device_serial", ["unit", "device", "from_at"], unique=False)
    op.create_index("device_serial_by_serial", "device_serial", ["serial"], unique=False)


def _home_address() -> None:
    op.create_table(
        "home_address",
        sa.Column("unit", sa.String(length=48), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["unit"], ["unit.id"]),
        sa.PrimaryKeyConstraint("unit"),
    )
