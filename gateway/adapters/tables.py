"""Everything committed, as SQLAlchemy Core tables. Times are integer microseconds UTC; alembic migrates them.

``lane`` and ``gap`` are the ledger: a number below ``lane.next`` that no open gap covers is stored or accounted for.
``record`` holds what arrived, as it came; the compactor folds closed windows of it into ``block``.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()
Time = BigInteger  # us since 1970
Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite gives rowids only to INTEGER keys

# ---- registry -------------------------------------------------------------------------------------------------------
site = Table(
    "site", metadata,
    Column("id", String(48), primary_key=True),
    Column("name", Text, nullable=False),
)  # fmt: skip
unit = Table(
    "unit", metadata,
    Column("id", String(48), primary_key=True),  # = MQTT client id
    Column("site", ForeignKey("site.id"), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("name", Text, nullable=False),
    Column("provenance", String(12), nullable=False),  # live | test | simulated
    Column("token_hash", String(64), nullable=False),  # SHA-256 hex of a 256-bit random token
    Column("registered_at", Time, nullable=False),
    Column("revoked_at", Time),
)  # fmt: skip
unit_link = Table(  # what the last hello of a unit said
    "unit_link", metadata,
    Column("unit", ForeignKey("unit.id"), primary_key=True),
    Column("presence", String(8), nullable=False),  # online | offline
    Column("epoch", String(16), nullable=False),
    Column("hello_at", Time, nullable=False),
    Column("hello", LargeBinary, nullable=False),  # JSON as it came
    Column("clock_offset", BigInteger),
    Column("clock_error", BigInteger),
)  # fmt: skip
device = Table(
    "device", metadata,
    Column("unit", ForeignKey("unit.id"), nullable=False),
    Column("device", String(48), nullable=False),
    Column("first_seen_at", Time, nullable=False),
    PrimaryKeyConstraint("unit", "device"),
)  # fmt: skip
person = Table(
    "person", metadata,
    Column("id", String(36), primary_key=True),  # pseudonym: the only form that leaves this table for logs and topics
    Column("name", Text, nullable=False),  # "" while unknown
    Column("sex", String(8)),  # female | male | other | unknown
    Column("birth_date", String(10)),
    Column("identifier", Text),
    Column("created_at", Time, nullable=False),
    Column("pregnancy", String(12)),  # pregnant | postpartum
    Column("spo2_target", String(8)),  # "88-92": hypercapnic respiratory failure; never inferred from data
    Column("recorded_by", String(64)),  # the clinician who last said either
    Column("recorded_at", Time),
)  # fmt: skip
person_limit = Table(  # an alert's limit for one patient; rows are never changed but to end them
    "person_limit", metadata,
    Column("id", String(36), primary_key=True),
    Column("person", ForeignKey("person.id"), nullable=False),
    Column("rule", String(48), nullable=False),  # code of the catalogue row
    Column("limit", Float, nullable=False),
    Column("reason", Text, nullable=False),
    Column("set_by", String(64), nullable=False),
    Column("set_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("removed_at", Time),
    Column("removed_by", String(64)),
    Index("person_limit_by_person", "person", "expires_at"),
)  # fmt: skip
care_plan = Table(  # what a clinician plans for one person; rows are never changed but to end them
    "care_plan", metadata,
    Column("id", String(36), primary_key=True),
    Column("person", ForeignKey("person.id"), nullable=False),
    Column("kind", String(12), nullable=False),  # rehab | peak-flow | uploads
    Column("plan", Text, nullable=False),  # JSON, see gateway/derive/plans.py
    Column("reason", Text, nullable=False),
    Column("set_by", String(64), nullable=False),
    Column("set_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("removed_at", Time),
    Column("removed_by", String(64)),
    Index("care_plan_by_person", "person", "expires_at"),
)  # fmt: skip
association = Table(
    "association", metadata,
    Column("id", Id, primary_key=True),
    Column("unit", ForeignKey("unit.id"), nullable=False),
    Column("device", String(48), nullable=False),  # "*" = every device of the unit: a session
    Column("subject", ForeignKey("person.id"), nullable=False),
    Column("start_at", Time, nullable=False),
    Column("end_at", Time),
    Column("source", String(12), nullable=False),
    Column("confirmed_by", String(64)),
    Column("end_reason", String(12)),  # of a session: ended | replaced | idle
    Column("idle_at", Time),  # when an open session is given up if nobody uses the unit (gateway's clock)
    Column("voided_at", Time),  # a person said that it was not so
    Index("association_by_device", "unit", "device", "start_at"),
    Index("association_by_subject", "subject", "start_at"),
)  # fmt: skip
session_mark = Table(  # what sessions of a unit are made of, in whatever order it came; see gateway/care/sitting.py
    "session_mark", metadata,
    Column("id", Id, primary_key=True),
    Column("unit", ForeignKey("unit.id"), nullable=False),
    Column("mark", String(8), nullable=False),  # start | end | use
    Column("subject", String(36)),  # NULL: somebody began whom nobody can tell
    Column("source", String(12)),
    Column("number", BigInteger),  # of the session, where the kiosk counts them
    Column("event_at", Time, nullable=False),
    Column("received_at", Time, nullable=False),
    Index("session_mark_by_unit", "unit", "event_at"),
)  # fmt: skip

# ---- care of devices and units --------------------------------------------------------------------------------------
service_window = Table(  # a device in service mode, or (device "") a unit in training
    "service_window", metadata,
    Column("id", String(36), primary_key=True),
    Column("unit", ForeignKey("unit.id"), nullable=False),
    Column("device", String(48), nullable=False),
    Column("mode", String(16), nullable=False),  # calibration | cleaning | transport | repair | training
    Column("reason", Text, nullable=False),  # as the person typed it
    Column("started_by", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("started_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("state", String(8), nullable=False),  # on | ended | expired
    Column("ended_at", Time),
    Column("ended_by", String(64)),
    Index("service_window_by_state", "state", "ended_at"),
    Index("service_window_by_unit", "unit", "started_at"),
)  # fmt: skip
device_care = Table(  # what people know of a device, heard of or not
    "device_care", metadata,
    Column("unit", ForeignKey("unit.id"), nullable=False),
    Column("device", String(48), nullable=False),
    Column("kind", String(32)),  # as ``lastmile devices`` names it
    Column("calibration_due", String(10)),  # YYYY-MM-DD
    PrimaryKeyConstraint("unit", "device"),
    Index("device_care_by_due", "calibration_due"),
)  # fmt: skip
device_serial = Table(  # which box stood behind a device's name, from when to when
    "device_serial", metadata,
    Column("id", Id, primary_key=True),
    Column("unit", ForeignKey("unit.id"), nullable=False),
    Column("device", String(48), nullable=False),
    Column("serial", String(64), nullable=False),
    Column("from_at", Time, nullable=False),
    Column("to_at", Time),
    Column("recorded_by", String(64), nullable=False),
    Index("device_serial_by_device", "unit", "device", "from_at"),
    Index("device_serial_by_serial", "serial"),
)  # fmt: skip
home_address = Table(  # where a home bed stands
    "home_address", metadata,
    Column("unit", ForeignKey("unit.id"), primary_key=True),
    Column("address", Text, nullable=False),
    Column("contact", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("latitude", Float),  # WGS-84
    Column("longitude", Float),
)  # fmt: skip

# ---- log position, ledger, records ----------------------------------------------------------------------------------
position = Table(
    "position", metadata,
    Column("partition", Integer, primary_key=True),
    Column("stream_created", String(40), nullable=False),
    Column("sequence", BigInteger, nullable=False),  # last one committed
    Column("logged_at", Time, nullable=False),
)  # fmt: skip
lane = Table(
    "lane", metadata,
    Column("id", Id, primary_key=True),
    Column("unit", ForeignKey("unit.id"), nullable=False),
    Column("epoch", String(16), nullable=False),
    Column("lane", String(5), nullable=False),  # event | obs | wave
    Column("next", BigInteger, nullable=False),  # highest number seen or announced, + 1
    Column("seen_at", Time, nullable=False),  # last change
    UniqueConstraint("unit", "epoch", "lane"),
)  # fmt: skip
gap = Table(  # numbers below lane.next that never came, or came late
    "gap", metadata,
    Column("id", Id, primary_key=True),
    Column("lane_id", ForeignKey("lane.id"), nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("seen_at", Time, nullable=False),
    Column("healed_at", Time),  # all of it arrived
    Column("lost_at", Time),  # the agent said it has it no more
    Column("shed_at", Time),  # the agent declared it shed
    Index("gap_by_lane", "lane_id", "first"),
)  # fmt: skip
record = Table(
    "record", metadata,
    Column("lane_id", Id, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("device", String(48), nullable=False),
    Column("observed_at", Time, nullable=False),  # device clock, as it came
    Column("event_at", Time, nullable=False),  # observed_at on the gateway's clock; what rules and charts use
    Column("received_at", Time, nullable=False),  # the log's timestamp
    Column("flags", Integer, nullable=False),  # RecordFlag
    Column("payload", LargeBinary, nullable=False),  # as it came
    PrimaryKeyConstraint("lane_id", "seq"),
)  # fmt: skip
block = Table(  # a closed window of one lane and device, folded; opens bit-exact to the records it replaces
    "block", metadata,
    Column("id", Id, primary_key=True),
    Column("unit", String(48), nullable=False),
    Column("lane", String(5), nullable=False),
    Column("device", String(48), nullable=False),
    Column("lane_id", Id, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("records", Integer, nullable=False),
    Column("start_at", Time, nullable=False),  # event_at of the first ...
    Column("end_at", Time, nullable=False),  # ... and the end of the last
    Column("codec", String(16), nullable=False),
    Column("header", LargeBinary, nullable=False),  # MessagePack: n, min, max, sum of each signal; numbers, times
    Column("data", LargeBinary, nullable=False),
    Index("block_by_time", "unit", "lane", "start_at"),
    Index("block_by_seq", "lane_id", "first_seq"),
)  # fmt: skip
latest = Table(
    "latest", metadata,
    Column("unit", String(48), nullable=False),
    Column("device", String(48), nullable=False),
    Column("quantity", String(64), nullable=False),
    Column("value", Float),  # NULL = device says it cannot measure it now
    Column("event_at", Time, nullable=False),
    Column("received_at", Time, nullable=False),
    Column("derived", Boolean, nullable=False),
    PrimaryKeyConstraint("unit", "device", "quantity"),
    sqlite_with_rowid=False,
)  # fmt: skip
reject = Table(  # input that was refused, whole or in part, kept for replay
    "reject", metadata,
    Column("id", Id, primary_key=True),
    Column("received_at", Time, nullable=False),
    Column("subject", Text, nullable=False),  # as published
    Column("unit", String(48)),  # when the subject names one
    Column("reason", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("lane_id", Id),  # set, with seq, when the refused message was numbered: it is accounted for by this row
    Column("seq", BigInteger),
    Column("whole", Boolean, nullable=False),  # False: one value refused, the record itself is stored
    Column("payload", LargeBinary, nullable=False),
    Index("reject_by_time", "received_at"),
    Index("reject_by_lane", "lane_id", "seq"),
)  # fmt: skip
conflict = Table(  # a number that came twice with different content
    "conflict", metadata,
    Column("id", Id, primary_key=True),
    Column("lane_id", Id, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("received_at", Time, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)  # fmt: skip

# ---- alerts ---------------------------------------------------------------------------------------------------------
alert = Table(
    "alert", metadata,
    Column("id", String(36), primary_key=True),
    Column("subject", Text, nullable=False),  # "unit/amb-001", "device/amb-001/monitor" ...
    Column("unit", String(48), nullable=False),
    Column("device", String(48)),
    Column("rule", String(48), nullable=False),  # code of the catalogue row
    Column("kind", String(16), nullable=False),  # physiological | technical
    Column("priority", String(8), nullable=False),  # low | medium | high
    Column("state", String(16), nullable=False),  # pending | firing | acknowledged | latched | resolved
    Column("quantity", String(64)),
    Column("value", Float),
    Column("limit", Float),
    Column("raised_at", Time, nullable=False),  # event time the condition was declared
    Column("updated_at", Time, nullable=False),
    Column("acknowledged_at", Time),
    Column("acknowledged_by", String(64)),
    Column("resolved_at", Time),
    Column("simulated", Boolean, nullable=False),
    Column("group_key", Text, nullable=False, server_default=""),  # "person/<pseudonym>", else "unit/<unit>"
    Column("reopened", Integer, nullable=False, server_default="0"),
    Column("ladder", String(32), nullable=False, server_default=""),  # the one it climbs; "" = none yet
    Column("step", Integer, nullable=False, server_default="0"),  # how many of its steps are taken
    Column("next_step_at", Time),  # NULL: acknowledged, muted, over, or nobody is told
    Column("notices", Integer, nullable=False, server_default="0"),
    Column("silenced_by", String(36)),  # silence.id
    Column("inhibited_by", String(36)),  # alert.id
    Index("alert_by_state", "state", "raised_at"),
    Index("alert_by_subject", "subject", "rule"),
    Index("alert_by_resolution", "resolved_at"),
)  # fmt: skip
alert_event = Table(  # append-only: every transition of every alert
    "alert_event", metadata,
    Column("id", Id, primary_key=True),
    Column("alert", ForeignKey("alert.id"), nullable=False),
    Column("at", Time, nullable=False),
    Column("event", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("actor", String(64)),
    Column("details", Text, nullable=False),  # JSON: values, limit, window
)  # fmt: skip
silence = Table(  # a person's: what it covers stays visible and tells nobody
    "silence", metadata,
    Column("id", String(36), primary_key=True),
    Column("unit", ForeignKey("unit.id"), nullable=False),
    Column("subject", Text, nullable=False),  # "" = everything of the unit
    Column("rule", String(48), nullable=False),  # "" = every rule that is not lethal
    Column("reason", Text, nullable=False),  # as the person typed it
    Column("author", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("ended_at", Time),
    Column("ended_by", String(64)),  # gateway = it ran out
    Index("silence_by_end", "ended_at", "created_at"),
)  # fmt: skip
shift = Table(  # who answers for a duty, from when to when
    "shift", metadata,
    Column("id", String(36), primary_key=True),
    Column("account", ForeignKey("account.name"), nullable=False),
    Column("duty", String(16), nullable=False),
    Column("site", ForeignKey("site.id"), nullable=False),
    Column("unit", String(48), nullable=False),  # "" = the whole site
    Column("start_at", Time, nullable=False),
    Column("end_at", Time, nullable=False),
    Column("entered_by", String(64), nullable=False),
    Index("shift_by_end", "end_at"),
)  # fmt: skip
alert_feedback = Table(  # what somebody thinks of an alert; they may change their mind
    "alert_feedback", metadata,
    Column("alert", ForeignKey("alert.id"), nullable=False),
    Column("author", String(64), nullable=False),
    Column("useful", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Time, nullable=False),
    PrimaryKeyConstraint("alert", "author"),
)  # fmt: skip
rule_clock = Table(  # half-elapsed "for" and "clear-for" durations
    "rule_clock", metadata,
    Column("subject", Text, nullable=False),
    Column("rule", String(48), nullable=False),
    Column("state", Text, nullable=False),  # JSON: of a limit the hold of each device, of a switch the one
    PrimaryKeyConstraint("subject", "rule"),
    sqlite_with_rowid=False,
)  # fmt: skip

# ---- remote commands ------------------------------------------------------------------------------------------------
command = Table(
    "command", metadata,
    Column("id", String(36), primary_key=True),
    Column("site", String(48), nullable=False),
    Column("unit", ForeignKey("unit.id"), nullable=False),
    Column("device", String(48), nullable=False),  # "" = the unit's agent itself
    Column("name", String(64), nullable=False),
    Column("arguments", Text, nullable=False),  # JSON
    Column("reason", Text, nullable=False),  # as the person typed it
    Column("requested_by", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("requested_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("state", String(12), nullable=False),  # requested | sent | accepted | refused | expired | unanswered
    Column("sent_at", Time),  # committed before the first publish
    Column("ended_at", Time),  # replied to, or given up
    Column("refusal", Text),  # reason code of the unit or the device
    Column("result", Text),  # JSON: what the device says it is set to
    Index("command_by_state", "state", "ended_at"),
    Index("command_by_unit", "unit", "requested_at"),
)  # fmt: skip

# ---- notifications --------------------------------------------------------------------------------------------------
notification = Table(  # that somebody is to be told of an alert; written in the alert's own transaction
    "notification", metadata,
    Column("id", String(36), primary_key=True),
    Column("alert", ForeignKey("alert.id"), nullable=False),
    Column("unit", String(48), nullable=False),  # "" = about the gateway itself
    Column("site", String(48), nullable=False),  # "" = every site
    Column("rule", String(48), nullable=False),
    Column("priority", String(8), nullable=False),
    Column("reason", String(12), nullable=False),
    Column("step", Integer, nullable=False),
    Column("role", String(16), nullable=False),
    Column("means", String(8), nullable=False),  # app | strong | call | task
    Column("recipients", Text, nullable=False),  # JSON list of account names
    Column("at", Time, nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("planned_at", Time),  # when its deliveries were made
    Index("notification_by_alert", "alert", "at"),
    Index("notification_by_plan", "planned_at", "at"),
    Index("notification_by_time", "at"),
)  # fmt: skip
delivery = Table(  # one recipient by one channel
    "delivery", metadata,
    Column("notification", ForeignKey("notification.id"), nullable=False),
    Column("recipient", String(64), nullable=False),  # account | role:<role> | "*" = everybody
    Column("channel", String(48), nullable=False),  # of notify.toml; "" = none reaches the recipient
    Column("state", String(8), nullable=False),  # pending | sending | sent | obsolete | dead
    Column("rank", Integer, nullable=False),  # of the priority, 0 = high: what goes first
    Column("attempts", Integer, nullable=False),
    Column("due_at", Time, nullable=False),  # first attempt; from here the time for retries counts
    Column("next_at", Time, nullable=False),  # next attempt
    Column("sent_at", Time),  # handed over to the provider
    Column("provider_id", String(100)),
    Column("last_error", Text),
    PrimaryKeyConstraint("notification", "recipient", "channel"),
    Index("delivery_by_queue", "state", "channel", "rank", "next_at"),
)  # fmt: skip

# ---- people who use it ----------------------------------------------------------------------------------------------
account = Table(
    "account", metadata,
    Column("name", String(64), primary_key=True),
    Column("password_hash", Text, nullable=False),  # argon2id
    Column("role", String(16), nullable=False),
    Column("sites", Text, nullable=False),  # JSON list of site ids, ["*"] = all
    Column("created_at", Time, nullable=False),
    Column("disabled_at", Time),
)  # fmt: skip
session = Table(
    "session", metadata,
    Column("id_hash", String(64), primary_key=True),  # SHA-256 of the cookie's secret
    Column("account", ForeignKey("account.name"), nullable=False),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
)  # fmt: skip
audit_log = Table(  # append-only, hash-chained
    "audit_log", metadata,
    Column("id", Id, primary_key=True),
    Column("at", Time, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(48), nullable=False),
    Column("target", Text, nullable=False),
    Column("details", Text, nullable=False),  # JSON
    Column("chain", String(64), nullable=False),  # SHA-256 hex of the previous chain and this row
)  # fmt: skip

# ---- retention ------------------------------------------------------------------------------------------------------
retired = Table(  # numbers that were stored and then deleted by retention: every one of first..last
    "retired", metadata,
    Column("id", Id, primary_key=True),
    Column("lane_id", Id, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("records", Integer, nullable=False),  # = last_seq - first_seq + 1
    Column("at", Time, nullable=False),  # last deletion that made the range
    Column("reason", String(16), nullable=False),  # age | budget
    Index("retired_by_lane", "lane_id", "first_seq"),
)  # fmt: skip
