"""Sites, units and devices."""

from typing import Annotated

from fastapi import APIRouter, Query

from gateway.api.auth import TheServices, UnitViewer, VisibleUnit
from gateway.api.ports import Row
from gateway.api.schemas import Device, Page, Site, Unit
from gateway.contract.topic import ID_PATTERN

router = APIRouter(tags=["registry"])
one = APIRouter(prefix="/units/{unit}", tags=["registry"])


@router.get("/sites", response_model=Page[Site], summary="Sites in your scope")
async def sites(actor: UnitViewer, services: TheServices) -> Row:
    """Every site you may see."""
    return {"items": await services.read(lambda db: services.registry.sites(db, actor.scope))}


@router.get("/units", response_model=Page[Unit], summary="Units in your scope")
async def units(
    actor: UnitViewer,
    services: TheServices,
    site: Annotated[str | None, Query(pattern=f"^{ID_PATTERN}$", description="only this site")] = None,
) -> Row:
    """Every unit you may see, revoked ones included."""
    return {"items": await services.read(lambda db: services.registry.units(db, actor.scope, site))}


@one.get("", response_model=Unit, summary="One unit", responses={404: {}})
async def unit(row: VisibleUnit) -> Row:
    """With its link, clock and number of open gaps."""
    return row


@one.get("/devices", response_model=Page[Device], summary="Devices behind a unit", responses={404: {}})
async def devices(row: VisibleUnit, services: TheServices) -> Row:
    """Devices anything was heard of."""
    return {"items": await services.read(lambda db: services.registry.devices(db, row["id"]))}
