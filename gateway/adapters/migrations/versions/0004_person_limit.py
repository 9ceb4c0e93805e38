"""Limits of one patient; what a clinician has recorded of a person that decides which limits count."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"


def upgrade() -> None:
    op.create_table(
        "person_limit",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("person", sa.String(length=36), nullable=False),
        sa.Column("rule", sa.String(length=48), nullable=False),
        sa.Column("limit", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.String(length=64), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.Column("removed_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("person_limit_by_person", "person_limit", ["person", "expires_at"], unique=False)
    op.add_column("person", sa.Column("pregnancy", sa.String(length=12), nullable=True))
    op.add_column("person", sa.Column("spo2_target", sa.String(length=8), nullable=True))
    op.add_column("person", sa.Column("recorded_by", sa.String(length=64), nullable=True))
    op.add_column("person", sa.Column("recorded_at", sa.BigInteger(), nullable=True))
