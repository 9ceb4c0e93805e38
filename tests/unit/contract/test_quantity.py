"""The table of quantities against a second, independent list of what each column may say."""

import pytest

from gateway.contract.quantity import ECG_LEADS_12, LEADS, QUANTITIES, Lead, Quantity
from gateway.contract.topic import is_id

UCUM = {
    "/min",
    "%",
    "mm[Hg]",
    "Cel",
    "mmol/L",
    "deg",
    "kPa.min",
    "m",
    "km/h",
    "1",
    "mV",
    "kg",
    "cm",
    "kg/m2",
    "ng/L",
    "[pH]",
    "mL",
    "L/min",
    "cm[H2O]",
    "mL/h",
    "J",
    "V",
    "A",
    "kPa",
    "L",
    "mm",
    "min",
    "h",
    "dB[mW]",
    "Ohm",
    "Hz",
    "ms",
}  # of what is in the table: spelled as UCUM does
ATTRIBUTES, SCADA = 1, 2  # partitions of ISO/IEEE 11073-10101

# Term codes of ISO/IEEE 11073-10101, typed from the nomenclature and not from our table.
TERMS = {
    "MDC_ECG_HEART_RATE": (SCADA, 16770),
    "MDC_PULS_OXIM_PULS_RATE": (SCADA, 18458),
    "MDC_PULS_OXIM_SAT_O2": (SCADA, 19384),
    "MDC_PULS_OXIM_PERF_REL": (SCADA, 19376),
    "MDC_PULS_OXIM_PLETH": (SCADA, 19380),
    "MDC_RESP": (SCADA, 20480),
    "MDC_RESP_RATE": (SCADA, 20490),
    "MDC_CONC_AWAY_CO2_ET": (SCADA, 20636),
    "MDC_PRESS_BLD_NONINV_SYS": (SCADA, 18949),
    "MDC_PRESS_BLD_NONINV_DIA": (SCADA, 18950),
    "MDC_PRESS_BLD_NONINV_MEAN": (SCADA, 18951),
    "MDC_TEMP_BODY": (SCADA, 19292),
    "MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD": (SCADA, 29112),
    "MDC_ATTR_VAL_BATT_CHARGE": (ATTRIBUTES, 2460),
    "MDC_MASS_BODY_ACTUAL": (SCADA, 57664),
    "MDC_LEN_BODY_ACTUAL": (SCADA, 57668),
    "MDC_RATIO_MASS_BODY_LEN_SQ": (SCADA, 57680),
    "MDC_FLOW_AWAY_EXP_FORCED_PEAK": (SCADA, 21512),
    "MDC_VOL_AWAY_TIDAL": (SCADA, 20796),
    "MDC_ECG_ELEC_POTL": (SCADA, 256),
    "MDC_ECG_ELEC_POTL_I": (SCADA, 257),
    "MDC_ECG_ELEC_POTL_II": (SCADA, 258),
    "MDC_ECG_ELEC_POTL_III": (SCADA, 317),
    "MDC_ECG_ELEC_POTL_AVR": (SCADA, 318),
    "MDC_ECG_ELEC_POTL_AVL": (SCADA, 319),
    "MDC_ECG_ELEC_POTL_AVF": (SCADA, 320),
    "MDC_ECG_ELEC_POTL_V1": (SCADA, 259),
    "MDC_ECG_ELEC_POTL_V2": (SCADA, 260),
    "MDC_ECG_ELEC_POTL_V3": (SCADA, 261),
    "MDC_ECG_ELEC_POTL_V4": (SCADA, 262),
    "MDC_ECG_ELEC_POTL_V5": (SCADA, 263),
    "MDC_ECG_ELEC_POTL_V6": (SCADA, 264),
}

rows = pytest.mark.parametrize("row", QUANTITIES.values(), ids=list(QUANTITIES))
coded = pytest.mark.parametrize("row", [*QUANTITIES.values(), *LEADS.values()], ids=[*QUANTITIES, *LEADS])


@rows
def test_a_row_is_complete(row: Quantity) -> None:
    assert is_id(row.name)
    assert row.low < row.high
    assert row.clinical_validity > 0
    assert row.expected_interval >= 0
    assert row.clinical_validity >= row.expected_interval, "a reading must stay valid until the next one is due"


@coded
def test_the_unit_is_spelled_as_ucum_spells_it(row: Quantity | Lead) -> None:
    assert row.unit in UCUM


@coded
def test_the_code_is_partition_times_65536_plus_term(row: Quantity | Lead) -> None:
    if row.mdc_code == 0:
        return  # the nomenclature has no term, or none that was checked
    partition, term = TERMS[row.mdc]
    assert row.mdc_code == partition * 65_536 + term


@rows
def test_loinc_check_digit(row: Quantity) -> None:
    """LOINC's last digit is a Luhn (mod 10) check of the others."""
    if not row.loinc:
        return
    digits, _, check = row.loinc.partition("-")
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[::-1][::2]]
    plain = [int(digit) for digit in digits[::-1][1::2]]
    assert (sum(doubled) + sum(plain) + int(check)) % 10 == 0


def test_no_code_stands_twice() -> None:
    for column in ("name", "mdc", "mdc_code"):
        values = [getattr(row, column) for row in [*QUANTITIES.values(), *LEADS.values()] if getattr(row, column)]
        assert len(values) == len(set(values)), column
    loinc = [row.loinc for row in QUANTITIES.values() if row.loinc]
    assert len(loinc) == len(set(loinc))


def test_the_tables_are_found_by_name() -> None:
    assert all(name == row.name for name, row in QUANTITIES.items())
    assert all(name == row.name for name, row in LEADS.items())
    assert set(ECG_LEADS_12) <= set(LEADS)
    assert len(ECG_LEADS_12) == 12


def test_clinical_validity_follows_the_design() -> None:
    """DESIGN section 4 names these; changing one is a clinical decision."""
    second, minute, hour = 1_000_000, 60_000_000, 3_600_000_000
    expected = {
        "heart-rate": 30 * second,
        "spo2": 5 * minute,
        "resp-rate": 5 * minute,
        "bp-systolic": 30 * minute,
        "glucose": 2 * hour,
    }
    assert {name: QUANTITIES[name].clinical_validity for name in expected} == expected
