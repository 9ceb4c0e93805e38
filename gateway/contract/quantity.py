"""The table of quantities: one row for everything a number on the wire may mean.

Sources: MDC reference ids and codes from ISO/IEEE 11073-10101 (full code = partition x 65536 + term),
LOINC from the FHIR vital-signs value set, units in UCUM. Clinical validity is this project's default
(how old a reading may be and still page somebody); a site may override it.
"""

from typing import Final

import msgspec

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE


class Quantity(msgspec.Struct, frozen=True):
    """One row. Times in microseconds; ``low`` and ``high`` bound what is *plausible*, not what is healthy."""

    name: str
    unit: str  # UCUM
    mdc: str  # ISO/IEEE 11073-10101 reference id, "" where the nomenclature has none
    mdc_code: int  # full 32-bit code, 0 where the nomenclature has none
    loinc: str  # "" where LOINC has no fitting term
    low: float
    high: float
    expected_interval: int  # us between readings in continuous monitoring; 0 = only when measured
    clinical_validity: int  # us for which a late reading still alerts


_ROWS: Final = (
    Quantity("heart-rate", "/min", "MDC_ECG_HEART_RATE", 147842, "8867-4", 0, 350, SECOND, 30 * SECOND),
    Quantity("rr-interval", "ms", "", 0, "", 20, 5000, 0, MINUTE),  # between two beats
    Quantity("pulse-rate", "/min", "MDC_PULS_OXIM_PULS_RATE", 149530, "8889-8", 0, 350, SECOND, 5 * MINUTE),
    Quantity("spo2", "%", "MDC_PULS_OXIM_SAT_O2", 150456, "2708-6", 0, 100, SECOND, 5 * MINUTE),
    Quantity("perfusion-index", "%", "MDC_PULS_OXIM_PERF_REL", 150448, "61006-3", 0, 30, SECOND, 5 * MINUTE),
    Quantity("resp-rate", "/min", "MDC_RESP_RATE", 151562, "9279-1", 0, 150, SECOND, 5 * MINUTE),
    Quantity("etco2", "mm[Hg]", "MDC_CONC_AWAY_CO2_ET", 151708, "19889-5", 0, 150, SECOND, 5 * MINUTE),
    Quantity("bp-systolic", "mm[Hg]", "MDC_PRESS_BLD_NONINV_SYS", 150021, "8480-6", 20, 320, 5 * MINUTE, 30 * MINUTE),
    Quantity("bp-diastolic", "mm[Hg]", "MDC_PRESS_BLD_NONINV_DIA", 150022, "8462-4", 10, 250, 5 * MINUTE, 30 * MINUTE),
    Quantity("bp-mean", "mm[Hg]", "MDC_PRESS_BLD_NONINV_MEAN", 150023, "8478-0", 10, 280, 5 * MINUTE, 30 * MINUTE),
    Quantity("cuff-pressure", "mm[Hg]", "", 0, "", 0, 330, 0, MINUTE),  # while a cuff inflates
    Quantity("temperature", "Cel", "MDC_TEMP_BODY", 150364, "8310-5", 14, 46, SECOND, 4 * HOUR),
    Quantity("glucose", "mmol/L", "MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", 160184, "14743-9", 0.3, 60, 0, 2 * HOUR),
    Quantity("weight", "kg", "MDC_MASS_BODY_ACTUAL", 188736, "29463-7", 0.2, 400, 0, 24 * HOUR),
    Quantity("height", "cm", "MDC_LEN_BODY_ACTUAL", 188740, "8302-2", 20, 260, 0, 24 * HOUR),
    Quantity("bmi", "kg/m2", "MDC_RATIO_MASS_BODY_LEN_SQ", 188752, "39156-5", 5, 120, 0, 24 * HOUR),
    Quantity("fetal-heart-rate", "/min", "", 0, "55283-6", 0, 300, SECOND, MINUTE),
    Quantity("fetal-baseline", "/min", "", 0, "", 0, 300, 0, 5 * MINUTE),  # derived: median of ten minutes
    Quantity("fetal-signal-loss", "%", "", 0, "", 0, 100, 0, 5 * MINUTE),  # derived: share of ten minutes
    Quantity("peak-flow", "L/min", "MDC_FLOW_AWAY_EXP_FORCED_PEAK", 152584, "33452-4", 0, 1000, 0, 2 * HOUR),
    # scores: only what is derived here; "at least" is the lower bound while an input is missing
    Quantity("news2", "1", "", 0, "", 0, 20, 0, 5 * MINUTE),
    Quantity("news2-at-least", "1", "", 0, "", 0, 20, 0, 5 * MINUTE),
    Quantity("news2-single", "1", "", 0, "", 0, 3, 0, 5 * MINUTE),  # the highest score of one parameter
    Quantity("mews", "1", "", 0, "", 0, 14, 0, 5 * MINUTE),
    Quantity("mews-at-least", "1", "", 0, "", 0, 14, 0, 5 * MINUTE),
    Quantity("qsofa", "1", "", 0, "", 0, 3, 0, 5 * MINUTE),
    Quantity("qsofa-at-least", "1", "", 0, "", 0, 3, 0, 5 * MINUTE),
    Quantity("pews", "1", "", 0, "", 0, 26, 0, 5 * MINUTE),
    Quantity("pews-at-least", "1", "", 0, "", 0, 26, 0, 5 * MINUTE),
    Quantity("meows", "1", "", 0, "", 0, 14, 0, 5 * MINUTE),
    Quantity("meows-at-least", "1", "", 0, "", 0, 14, 0, 5 * MINUTE),
    Quantity("gcs", "1", "", 0, "9269-2", 3, 15, 0, 15 * MINUTE),
    Quantity("shock-index", "1", "", 0, "", 0, 20, 0, 5 * MINUTE),
    Quantity("modified-shock-index", "1", "", 0, "", 0, 35, 0, 5 * MINUTE),
    Quantity("bp-mean-estimate", "mm[Hg]", "", 0, "", 10, 280, 0, 30 * MINUTE),
    # point of care (LOINC: current release to be checked)
    Quantity("troponin-i", "ng/L", "", 0, "89579-7", 0, 100_000, 0, 2 * HOUR),
    Quantity("blood-ph", "[pH]", "", 0, "2744-1", 6.3, 8.2, 0, 30 * MINUTE),
    Quantity("pco2", "mm[Hg]", "", 0, "2019-8", 2, 250, 0, 30 * MINUTE),
    Quantity("po2", "mm[Hg]", "", 0, "2703-7", 2, 800, 0, 30 * MINUTE),
    Quantity("lactate", "mmol/L", "", 0, "2518-9", 0, 40, 0, 30 * MINUTE),
    Quantity("potassium", "mmol/L", "", 0, "6298-4", 0.5, 15, 0, 2 * HOUR),
    Quantity("sodium", "mmol/L", "", 0, "2947-0", 80, 220, 0, 2 * HOUR),
    # ventilator, infusion pump, defibrillator
    Quantity("tidal-volume", "mL", "MDC_VOL_AWAY_TIDAL", 151868, "", 0, 4000, SECOND, MINUTE),
    Quantity("minute-volume", "L/min", "", 0, "", 0, 100, SECOND, MINUTE),
    Quantity("peak-airway-pressure", "cm[H2O]", "", 0, "", -40, 150, SECOND, MINUTE),
    Quantity("peep", "cm[H2O]", "", 0, "", -5, 60, SECOND, MINUTE),
    Quantity("fio2", "%", "", 0, "", 15, 100, SECOND, 5 * MINUTE),
    Quantity("infusion-rate", "mL/h", "", 0, "", 0, 2000, 10 * SECOND, 5 * MINUTE),
    Quantity("infused-volume", "mL", "", 0, "", 0, 20_000, 10 * SECOND, 5 * MINUTE),
    Quantity("volume-remaining", "mL", "", 0, "", 0, 20_000, 10 * SECOND, 5 * MINUTE),
    Quantity("shock-energy", "J", "", 0, "", 0, 1000, 0, HOUR),
    Quantity("shock-impedance", "Ohm", "", 0, "", 0, 500, 0, HOUR),
    # supplies of vehicles and rooms
    Quantity("supply-voltage", "V", "", 0, "", 0, 500, 10 * SECOND, 5 * MINUTE),
    Quantity("output-voltage", "V", "", 0, "", 0, 500, 10 * SECOND, 5 * MINUTE),
    Quantity("output-load", "%", "", 0, "", 0, 200, 10 * SECOND, 5 * MINUTE),
    Quantity("supply-frequency", "Hz", "", 0, "", 0, 500, 10 * SECOND, 5 * MINUTE),
    Quantity("battery-current", "A", "", 0, "", -300, 300, 10 * SECOND, 5 * MINUTE),
    Quantity("battery-time-left", "min", "", 0, "", 0, 10_000, 10 * SECOND, 5 * MINUTE),
    Quantity("device-temperature", "Cel", "", 0, "", -60, 200, 10 * SECOND, 15 * MINUTE),
    Quantity("supply-current", "A", "", 0, "", -500, 500, 10 * SECOND, 5 * MINUTE),
    Quantity("oxygen-pressure", "kPa", "", 0, "", 0, 30_000, 10 * SECOND, 5 * MINUTE),
    Quantity("oxygen-flow", "L/min", "", 0, "", 0, 100, 10 * SECOND, 5 * MINUTE),
    Quantity("oxygen-purity", "%", "", 0, "", 0, 100, 10 * SECOND, 5 * MINUTE),
    Quantity("oxygen-remaining", "L", "", 0, "", 0, 50_000, 10 * SECOND, 5 * MINUTE),
    # bed and mattress
    Quantity("bed-load", "kg", "", 0, "", 0, 500, 10 * SECOND, MINUTE),
    Quantity("head-angle", "deg", "", 0, "", -30, 90, 10 * SECOND, MINUTE),
    Quantity("knee-angle", "deg", "", 0, "", -10, 60, 10 * SECOND, MINUTE),
    Quantity("bed-height", "mm", "", 0, "", 0, 1500, 10 * SECOND, MINUTE),
    Quantity("bed-tilt", "deg", "", 0, "", -45, 45, 10 * SECOND, MINUTE),
    Quantity("mattress-pressure", "kPa", "", 0, "", 0, 50, 10 * SECOND, MINUTE),
    Quantity("mattress-set-pressure", "kPa", "", 0, "", 0, 50, 10 * SECOND, MINUTE),
    Quantity("mattress-cycle", "min", "", 0, "", 0, 240, 10 * SECOND, MINUTE),
    Quantity("contact-pressure-peak", "kPa", "", 0, "", 0, 100, 10 * SECOND, MINUTE),
    # how somebody lies: only what is derived here
    Quantity("pressure-dose", "kPa.min", "", 0, "", 0, 1_000_000, MINUTE, HOUR),  # of the zone with the largest
    Quantity("time-unturned", "min", "", 0, "", 0, 100_000, MINUTE, HOUR),
    Quantity("presence", "1", "", 0, "", 0, 1, 10 * SECOND, MINUTE),
    Quantity("movement", "1", "", 0, "", 0, 10_000, 10 * SECOND, MINUTE),
    Quantity("running-time", "h", "", 0, "", 0, 1_000_000, MINUTE, HOUR),
    # cold chain and load
    *(Quantity(f"cargo-temperature-{n}", "Cel", "", 0, "", -100, 100, 10 * SECOND, 15 * MINUTE) for n in range(1, 9)),
    Quantity("supply-air-temperature", "Cel", "", 0, "", -100, 100, 10 * SECOND, 15 * MINUTE),
    Quantity("return-air-temperature", "Cel", "", 0, "", -100, 100, 10 * SECOND, 15 * MINUTE),
    Quantity("evaporator-temperature", "Cel", "", 0, "", -100, 150, 10 * SECOND, 15 * MINUTE),
    Quantity("set-point-temperature", "Cel", "", 0, "", -100, 100, 10 * SECOND, 15 * MINUTE),
    Quantity("ambient-temperature", "Cel", "", 0, "60832-3", -100, 100, MINUTE, 15 * MINUTE),
    Quantity("humidity", "%", "", 0, "", 0, 100, MINUTE, 15 * MINUTE),
    Quantity("load", "kg", "", 0, "", -100, 20_000, 10 * SECOND, MINUTE),
    Quantity("canary", "1", "", 0, "", 0, 1e15, 5 * SECOND, MINUTE),
    # radio
    Quantity("rssi", "dB[mW]", "", 0, "", -128, 20, SECOND, MINUTE),
    Quantity("battery-voltage", "V", "", 0, "", 0, 100, MINUTE, HOUR),
    Quantity("latitude", "deg", "", 0, "", -90, 90, SECOND, MINUTE),
    Quantity("longitude", "deg", "", 0, "", -180, 180, SECOND, MINUTE),
    Quantity("altitude", "m", "", 0, "", -500, 9000, SECOND, MINUTE),
    Quantity("speed", "km/h", "", 0, "", 0, 250, SECOND, MINUTE),
    Quantity("course", "deg", "", 0, "", 0, 360, SECOND, MINUTE),
    Quantity("hdop", "1", "", 0, "", 0, 100, SECOND, MINUTE),
    Quantity("position-error", "m", "", 0, "", 0, 10_000, SECOND, MINUTE),
    Quantity("altitude-error", "m", "", 0, "", 0, 10_000, SECOND, MINUTE),
    Quantity("battery", "%", "MDC_ATTR_VAL_BATT_CHARGE", 67996, "", 0, 100, MINUTE, HOUR),
)

CANARY: Final = "canary"  # of the watcher: a count that shows by its coming that the path is alive

QUANTITIES: Final[dict[str, Quantity]] = {row.name: row for row in _ROWS}


class Lead(msgspec.Struct, frozen=True):
    """One row of the table of sampled signals (ECG leads, pleth ...)."""

    name: str
    unit: str  # UCUM
    mdc: str
    mdc_code: int


_LEADS: Final = (
    Lead("I", "mV", "MDC_ECG_ELEC_POTL_I", 131329),
    Lead("II", "mV", "MDC_ECG_ELEC_POTL_II", 131330),
    Lead("III", "mV", "MDC_ECG_ELEC_POTL_III", 131389),
    Lead("aVR", "mV", "MDC_ECG_ELEC_POTL_AVR", 131390),
    Lead("aVL", "mV", "MDC_ECG_ELEC_POTL_AVL", 131391),
    Lead("aVF", "mV", "MDC_ECG_ELEC_POTL_AVF", 131392),
    Lead("V1", "mV", "MDC_ECG_ELEC_POTL_V1", 131331),
    Lead("V2", "mV", "MDC_ECG_ELEC_POTL_V2", 131332),
    Lead("V3", "mV", "MDC_ECG_ELEC_POTL_V3", 131333),
    Lead("V4", "mV", "MDC_ECG_ELEC_POTL_V4", 131334),
    Lead("V5", "mV", "MDC_ECG_ELEC_POTL_V5", 131335),
    Lead("V6", "mV", "MDC_ECG_ELEC_POTL_V6", 131336),
    Lead("MLII", "mV", "", 0),  # modified limb lead of Holter records; no checked code
    Lead("ECG", "mV", "MDC_ECG_ELEC_POTL", 131328),  # one unnamed channel
    Lead("pleth", "1", "MDC_PULS_OXIM_PLETH", 150452),
    Lead("resp", "1", "MDC_RESP", 151552),
)

LEADS: Final[dict[str, Lead]] = {row.name: row for row in _LEADS}
ECG_LEADS_12: Final = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
