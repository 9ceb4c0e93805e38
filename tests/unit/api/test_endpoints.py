"""What the endpoints answer."""

from tests.unit.api.conftest import Hospital


async def test_latest_values_carry_their_unit(hospital: Hospital) -> None:
    async with hospital.client("doctor") as client:
        answer = await client.get("/api/v1/units/amb-001/latest")
    assert answer.json()["items"] == [
        {
            "device": "monitor", "quantity": "heart-rate", "unit": "/min", "value": 72.0, "at": 1767225600000000,
            "received_at": 1767225600000005, "derived": False,
        }
    ]  # fmt: skip
