"""Alerts on measured values of a person. Limits are defaults of configuration, not advice; sources stand in each row.

Limits of children are this project's, after the bands of APLS and the hypotension rule of PALS, from memory: a site
that treats children confirms them in its ``alerts.toml`` before it relies on them.
"""

from typing import Final

from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.contract.topic import UnitKind
from gateway.derive.population import ADULTS, CHILDREN, MATERNAL, Population
from gateway.rules.condition import Change, Combined, Direction, Part, Threshold
from gateway.rules.row import Kind, Ladder, Priority, Row

_LOW, _MEDIUM, _HIGH = Priority.LOW, Priority.MEDIUM, Priority.HIGH
_PHYSIOLOGICAL, _CLINICAL = Kind.PHYSIOLOGICAL, Ladder.CLINICAL
_ABOVE, _BELOW = Direction.ABOVE, Direction.BELOW
GROWN: Final = ADULTS | MATERNAL
EVERYBODY: Final = GROWN | CHILDREN
SPOT: Final = frozenset({UnitKind.HEALTH_KIOSK, UnitKind.HOMECARE_BED})
_FACTS: Final = "project default for adults, domain facts 2.4; children after APLS, to be confirmed"
_EXTREME: Final = "project default for adults, domain facts 10.1; children after PALS, to be confirmed"
_RAISED: Final = "two readings of 140 or 90 (China): domain facts 10.1; a reading, no diagnosis"
_NEWS: Final = "RCP NEWS2 (2017), domain facts 1.1"


def _limits(neonate: float, infant: float, toddler: float, child: float, adolescent: float) -> dict[Population, float]:
    bands = (Population.NEONATE, Population.INFANT, Population.TODDLER, Population.CHILD, Population.ADOLESCENT)
    return dict(zip(bands, (neonate, infant, toddler, child, adolescent), strict=True))


def _early_warning(quantity: str, score: int) -> Threshold:
    """A score that stands for half a minute; what is gone after a breath or a movement is none.

    ``news2-at-least``: what it is at least, whatever input is missing: the true total is never lower.
    """
    return Threshold(quantity, _ABOVE, score, 1, 30 * SECOND, 60 * SECOND, inclusive=True, stands=True)


HEART: Final = (
    Row(
        "heart-rate-high", _PHYSIOLOGICAL, _MEDIUM, _FACTS,
        Threshold("heart-rate", _ABOVE, 130, 5, 10 * SECOND, 10 * SECOND),
        zh="心率过高", en="Heart rate high", populations=EVERYBODY, limits=_limits(190, 180, 160, 140, 130),
        ladder=_CLINICAL, inhibited_by=("heart-rate-severe-high", "extreme-tachycardia", "lead-off"),
    ),
    Row(
        "heart-rate-low", _PHYSIOLOGICAL, _MEDIUM, _FACTS,
        Threshold("heart-rate", _BELOW, 45, 5, 10 * SECOND, 10 * SECOND),
        zh="心率过低", en="Heart rate low", populations=EVERYBODY, limits=_limits(100, 90, 80, 65, 50),
        ladder=_CLINICAL, inhibited_by=("heart-rate-severe-low", "extreme-bradycardia", "lead-off"),
    ),
    Row(
        "heart-rate-severe-high", _PHYSIOLOGICAL, _HIGH, _EXTREME,
        Threshold("heart-rate", _ABOVE, 160, 5, 10 * SECOND, 10 * SECOND),
        zh="心率极高", en="Heart rate extremely high", populations=EVERYBODY, limits=_limits(220, 220, 200, 180, 170),
        ladder=_CLINICAL, inhibited_by=("extreme-tachycardia", "ventricular-tachycardia", "lead-off"),
    ),
    Row(
        "heart-rate-severe-low", _PHYSIOLOGICAL, _HIGH, _EXTREME,
        Threshold("heart-rate", _BELOW, 35, 5, 10 * SECOND, 10 * SECOND),
        zh="心率极低", en="Heart rate extremely low", populations=EVERYBODY, limits=_limits(70, 60, 60, 50, 40),
        ladder=_CLINICAL, inhibited_by=("extreme-bradycardia", "asystole", "lead-off"),
    ),
)  # fmt: skip

BREATH: Final = (
    Row(
        "spo2-low", _PHYSIOLOGICAL, _MEDIUM, "domain facts 2.4; target 88-92 %: domain facts 10.1",
        Threshold("spo2", _BELOW, 90, 2, 15 * SECOND, 10 * SECOND),
        zh="血氧偏低", en="SpO2 low", ladder=_CLINICAL, target_limit=88, inhibited_by=("spo2-severe", "sensor-off"),
    ),
    Row(
        "spo2-severe", _PHYSIOLOGICAL, _HIGH, "domain facts 2.4",
        Threshold("spo2", _BELOW, 85, 2, 5 * SECOND, 10 * SECOND),
        zh="血氧严重偏低", en="SpO2 severely low", ladder=_CLINICAL, inhibited_by=("sensor-off",),
    ),
    Row(
        "spo2-above-target", _PHYSIOLOGICAL, _MEDIUM, "target 88-92 %, too much oxygen: domain facts 10.1",
        Combined(
            (
                Part(Threshold("spo2", _ABOVE, 92, 1, 0, 0)),
                Part(Threshold("oxygen-flow", _ABOVE, 0, 0, 0, 0)),
            ),
            every=True, for_=60 * SECOND, clear_for=10 * SECOND,
        ),
        zh="吸氧中血氧高于目标 88-92 %", en="SpO2 above the target 88-92 % on oxygen", ladder=_CLINICAL,
        needs_target=True, inhibited_by=("sensor-off",),
    ),
    Row(
        "resp-rate-high", _PHYSIOLOGICAL, _MEDIUM, _FACTS,
        Threshold("resp-rate", _ABOVE, 30, 2, 15 * SECOND, 10 * SECOND),
        zh="呼吸过快", en="Respiratory rate high", populations=EVERYBODY, limits=_limits(70, 60, 50, 40, 30),
        ladder=_CLINICAL,
    ),
    Row(
        "resp-rate-low", _PHYSIOLOGICAL, _MEDIUM, _FACTS,
        Threshold("resp-rate", _BELOW, 8, 2, 15 * SECOND, 10 * SECOND),
        zh="呼吸过慢", en="Respiratory rate low", populations=EVERYBODY, limits=_limits(25, 20, 15, 12, 10),
        ladder=_CLINICAL, inhibited_by=("apnoea",),
    ),
    Row(
        "apnoea", _PHYSIOLOGICAL, _HIGH, "6 a minute and less: domain facts 10.1; no device here tells of each breath",
        Threshold("resp-rate", _BELOW, 6, 2, 10 * SECOND, 10 * SECOND, inclusive=True),
        zh="呼吸暂停", en="Apnoea", ladder=_CLINICAL,
    ),
)  # fmt: skip

PRESSURE: Final = (
    Row(
        "bp-systolic-low", _PHYSIOLOGICAL, _MEDIUM, _FACTS.replace("APLS", "PALS"),
        Threshold("bp-systolic", _BELOW, 90, 5, 0, 0),
        zh="收缩压偏低，请立即复测", en="Systolic pressure low: measure again now", populations=EVERYBODY,
        limits=_limits(60, 70, 72, 80, 90), ladder=_CLINICAL, inhibited_by=("bp-systolic-severe-low",),
    ),
    Row(
        "bp-systolic-severe-low", _PHYSIOLOGICAL, _HIGH, "domain facts 10.1; children: they have no such default",
        Threshold("bp-systolic", _BELOW, 70, 5, 0, 0),
        zh="严重低血压", en="Severe hypotension", populations=GROWN | {Population.ADOLESCENT}, ladder=_CLINICAL,
    ),
    Row(
        "bp-systolic-high", _PHYSIOLOGICAL, _MEDIUM, "domain facts 2.4; maternal 160: ACOG, to be confirmed",
        Threshold("bp-systolic", _ABOVE, 180, 5, 0, 0),
        zh="收缩压偏高，请立即复测", en="Systolic pressure high: measure again now", populations=GROWN,
        limits={Population.PREGNANT: 160, Population.POSTPARTUM: 160}, ladder=_CLINICAL,
        inhibited_by=("bp-urgent", "bp-urgent-maternal"),
    ),
    Row(
        "bp-urgent", _PHYSIOLOGICAL, _MEDIUM, "kiosk and home: urgent referral, domain facts 10.1",
        Combined(
            (
                Part(Threshold("bp-systolic", _ABOVE, 180, 5, 0, 0, inclusive=True)),
                Part(Threshold("bp-diastolic", _ABOVE, 110, 5, 0, 0, inclusive=True)),
            ),
            every=False, each=True,
        ),
        latching=True, zh="血压极高，需紧急转诊", en="Blood pressure very high: urgent referral", populations=ADULTS,
        places=SPOT, ladder=_CLINICAL,
    ),
    Row(
        "bp-urgent-maternal", _PHYSIOLOGICAL, _HIGH, "severe hypertension in pregnancy: ACOG, to be confirmed",
        Combined(
            (
                Part(Threshold("bp-systolic", _ABOVE, 160, 5, 0, 0, inclusive=True)),
                Part(Threshold("bp-diastolic", _ABOVE, 110, 5, 0, 0, inclusive=True)),
            ),
            every=False, each=True,
        ),
        latching=True, zh="孕产妇重度高血压", en="Severe hypertension, pregnant or post-partum", populations=MATERNAL,
        ladder=_CLINICAL,
    ),
    Row(
        "bp-raised", _PHYSIOLOGICAL, _LOW, _RAISED,
        Threshold("bp-systolic", _ABOVE, 140, 5, 0, 0, inclusive=True, readings=2, within=30 * MINUTE),
        zh="连续两次血压偏高", en="Blood pressure raised twice", populations=ADULTS, places=SPOT, ladder=_CLINICAL,
        inhibited_by=("bp-urgent", "bp-systolic-high"),
    ),
    Row(
        "bp-diastolic-raised", _PHYSIOLOGICAL, _LOW, _RAISED,
        Threshold("bp-diastolic", _ABOVE, 90, 5, 0, 0, inclusive=True, readings=2, within=30 * MINUTE),
        zh="连续两次舒张压偏高", en="Diastolic pressure raised twice", populations=ADULTS, places=SPOT,
        ladder=_CLINICAL, inhibited_by=("bp-urgent", "bp-raised"),
    ),
)  # fmt: skip

OTHER: Final = (
    Row(
        "temperature-high", _PHYSIOLOGICAL, _MEDIUM, f"{_NEWS}; neonates 38.0, from memory",
        Threshold("temperature", _ABOVE, 39.0, 0.3, 0, 0),
        zh="体温过高", en="Temperature high", populations=EVERYBODY, limits={Population.NEONATE: 38.0},
        ladder=_CLINICAL,
    ),
    Row(
        "temperature-low", _PHYSIOLOGICAL, _MEDIUM, _NEWS,
        Threshold("temperature", _BELOW, 35.0, 0.3, 0, 0, inclusive=True),
        zh="体温过低", en="Temperature low", ladder=_CLINICAL,
    ),
    Row(
        "glucose-severe-low", _PHYSIOLOGICAL, _HIGH, "hypoglycaemia level 2 (ADA): domain facts 1.8",
        Threshold("glucose", _BELOW, 3.0, 0.9, 0, 0, each=True),
        latching=True, zh="严重低血糖", en="Glucose severely low", ladder=_CLINICAL,
    ),
    Row(
        "glucose-low", _PHYSIOLOGICAL, _MEDIUM, "urgent at kiosk and home: domain facts 10.1",
        Threshold("glucose", _BELOW, 3.9, 0.5, 0, 0, inclusive=True, each=True),
        latching=True, zh="血糖过低", en="Glucose low", ladder=_CLINICAL, inhibited_by=("glucose-severe-low",),
    ),
    Row(
        "glucose-high", _PHYSIOLOGICAL, _MEDIUM, "urgent at kiosk and home: domain facts 10.1",
        Threshold("glucose", _ABOVE, 16.7, 1, 0, 0, inclusive=True, each=True),
        latching=True, zh="血糖过高", en="Glucose high", ladder=_CLINICAL,
    ),
    Row(
        "weight-gain", _PHYSIOLOGICAL, _LOW, "more than 2 kg in 3 days: ESC heart failure guideline, from memory",
        Change("weight", _ABOVE, 2, 72 * HOUR, 0.5),
        zh="三天内体重增加超过 2 kg", en="Weight up by more than 2 kg in 3 days", populations=ADULTS,
        places=frozenset({UnitKind.HOMECARE_BED}), ladder=_CLINICAL,
    ),
    Row(
        "news2-medium", _PHYSIOLOGICAL, _MEDIUM, _NEWS,
        _early_warning("news2-at-least", 5),
        zh="早期预警评分 5 分以上", en="NEWS2 of 5 or more", populations=ADULTS, ladder=_CLINICAL,
        inhibited_by=("news2-high",),
    ),
    Row(
        "news2-high", _PHYSIOLOGICAL, _HIGH, _NEWS,
        _early_warning("news2-at-least", 7),
        zh="早期预警评分 7 分以上", en="NEWS2 of 7 or more", populations=ADULTS, ladder=_CLINICAL,
    ),
    Row(
        "news2-single", _PHYSIOLOGICAL, _MEDIUM, f"{_NEWS}: any single parameter of 3 needs an urgent review",
        _early_warning("news2-single", 3),
        zh="早期预警单项 3 分", en="NEWS2: one parameter scores 3", populations=ADULTS, ladder=_CLINICAL,
        inhibited_by=("news2-medium", "news2-high", *(row.code for row in HEART + BREATH + PRESSURE)),
    ),
    Row(
        "pews-high", _PHYSIOLOGICAL, _HIGH, "Bedside PEWS: 8 had sensitivity 82 %, specificity 93 % (Parshuram 2009)",
        _early_warning("pews-at-least", 8),
        zh="儿童早期预警评分 8 分以上", en="PEWS of 8 or more", populations=CHILDREN, ladder=_CLINICAL,
    ),
    Row(
        "meows-trigger", _PHYSIOLOGICAL, _MEDIUM, "one red or two yellow observations (CEMACH 2007, Singh 2012)",
        _early_warning("meows-at-least", 2),
        zh="产科早期预警：一项红色或两项黄色", en="MEOWS: one red or two yellow", populations=MATERNAL,
        ladder=_CLINICAL,
    ),
)  # fmt: skip

VITALS: Final = HEART + BREATH + PRESSURE + OTHER
