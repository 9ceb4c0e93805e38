"""One row per alert, all of them; what a site may change is in ``ruleset``. See ADR 0022."""

from typing import Final

from gateway.contract.condition import CONDITIONS
from gateway.contract.topic import UnitKind
from gateway.rules.bed_rows import BED
from gateway.rules.cargo_rows import CARGO
from gateway.rules.condition import Direction, Threshold
from gateway.rules.fetal_rows import FETAL
from gateway.rules.plan_rows import PLANNED
from gateway.rules.row import Kind, Ladder, Priority, Row
from gateway.rules.sign_rows import SIGNS
from gateway.rules.vital_rows import VITALS

_TECHNICAL: Final = Kind.TECHNICAL
_LASTS: Final = "medium after 60 s: domain facts 2.4; somebody is there who is not watched any more"

PATH: Final = (
    Row(
        "signal-missing", _TECHNICAL, Priority.LOW, "three expected intervals, at least 10 s",
        zh="信号中断", en="Signal missing", inhibited_by=("link-lost",),
    ),
    Row(
        "link-lost", _TECHNICAL, Priority.MEDIUM, "per kind of place, domain facts 10.1: see places.py",
        zh="链路断开", en="Link lost", ladder=Ladder.CLINICAL,  # somebody is there who is not watched any more
    ),
    Row(
        "lead-off", _TECHNICAL, Priority.LOW, "the device's own report",
        zh="导联脱落", en="Lead off", inhibited_by=("lead-off-long",),
    ),
    Row(
        "lead-off-long", _TECHNICAL, Priority.MEDIUM, _LASTS,
        zh="导联脱落超过 1 分钟", en="Lead off for over a minute", ladder=Ladder.CLINICAL,
    ),
    Row(
        "sensor-off-long", _TECHNICAL, Priority.MEDIUM, f"{_LASTS}; not at kiosks, where people come and go",
        zh="传感器脱落超过 1 分钟", en="Sensor off for over a minute", ladder=Ladder.CLINICAL,
        places=frozenset(UnitKind) - {UnitKind.HEALTH_KIOSK},
    ),
    Row(
        "shedding", _TECHNICAL, Priority.MEDIUM, "an outbox is full and drops declared ranges",
        zh="终端存储已满，正在丢弃波形", en="Storage full: waveforms are being shed",
    ),
    Row(
        "duplicate-identity", _TECHNICAL, Priority.HIGH, "two devices answer to one unit's name",
        latching=True, zh="同一身份出现两份不同数据", en="Two sources under one identity",
    ),
    Row(
        "broker-log-lost", _TECHNICAL, Priority.HIGH, "the log was wiped or ran ahead of us",
        latching=True, zh="消息日志丢失", en="Broker log lost",
    ),
    Row(
        "broker-lost", _TECHNICAL, Priority.HIGH, "the gateway cannot reach the broker: nothing new arrives",
        zh="与消息服务器断开", en="Broker unreachable",
    ),
    Row(
        "canary-late", _TECHNICAL, Priority.HIGH, "this project: a canary comes every 5 s; its silence is told in 30 s",
        zh="链路监护停止", en="The watch has stopped",
    ),
    Row(
        "nobody-on-duty", _TECHNICAL, Priority.HIGH, "a step of a ladder asks a role that nobody has now, ADR 0023",
        zh="无人值班", en="Nobody on duty",
    ),
    Row(
        "board-mute", _TECHNICAL, Priority.MEDIUM, "no sound for 2 min while a high alert calls: project default",
        zh="看板静音，高优先级告警未发声", en="Board is mute while a high alert calls", ladder=Ladder.CLINICAL,
    ),
)  # fmt: skip
_ZH: Final = {
    "battery-low": "电池电量低", "clock-unset": "设备时钟未设置", "probe-fault": "探头故障", "sensor-off": "传感器脱落",
    "sensor-fault": "传感器故障", "signal-poor": "信号质量差", "cuff-error": "袖带错误", "body-moved": "测量时身体移动",
    "irregular-pulse": "脉搏不规则", "strip-error": "试纸错误", "out-of-measuring-range": "超出测量范围",
    "ambient-temperature": "环境温度不适", "device-fault": "设备故障", "self-test-failed": "自检失败",
    "calibration-due": "需要校准", "mains-lost": "市电中断", "pressure-low": "压力过低", "pressure-high": "压力过高",
    "pump-fault": "泵故障", "compressor-fault": "压缩机故障", "oxygen-purity-low": "氧浓度低", "occlusion": "管路阻塞",
    "air-in-line": "管路有气泡", "infusion-ended": "输液结束", "disconnected-circuit": "呼吸回路断开",
    "airway-pressure-high": "气道压力过高", "airway-pressure-low": "气道压力过低", "scanner-silent": "扫描器无数据",
    "beacon-silent": "信标无信号", "paper-out": "缺纸", "link-fault": "设备无应答",
}  # fmt: skip
DEVICES: Final = tuple(
    Row(
        row.code,
        _TECHNICAL,
        Priority(row.priority),
        row.meaning,
        zh=_ZH.get(row.code, row.code),
        en=row.meaning,
        # what is high about a device (a blocked line, an open circuit) is about the person at its other end
        ladder=Ladder.CLINICAL if row.priority == "high" else Ladder.TECHNICAL,
        inhibited_by=("sensor-off-long",) if row.code == "sensor-off" else (),
    )
    for row in CONDITIONS.values()
)

ROWS: Final = (*VITALS, *PLANNED, *FETAL, *SIGNS, *BED, *CARGO, *PATH, *DEVICES)
CATALOGUE: Final[dict[str, Row]] = {row.code: row for row in ROWS}
THRESHOLDS: Final[dict[str, tuple[Row, ...]]] = {
    quantity: tuple(row for row in ROWS if quantity in row.quantities)
    for quantity in sorted({quantity for row in ROWS for quantity in row.quantities})
}
"""Quantities that rows wait for, each with its rows."""

__all__ = [
    "CATALOGUE",
    "DEVICES",
    "PATH",
    "ROWS",
    "THRESHOLDS",
    "Direction",
    "Kind",
    "Ladder",
    "Priority",
    "Row",
    "Threshold",
]
