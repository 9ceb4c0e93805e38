/** Every open alert this person may see, most urgent first. */
import { useEffect } from "preact/hooks";
import { go } from "../router";
import { keyAcknowledge, selectedAlert } from "../state/actions";
import { watched } from "../state/live";
import { openAlerts } from "../state/store";
import { isCalling } from "../state/urgency";
import { t } from "../text/text";
import { AlertRow } from "./alert_row";
import { useKeys } from "./keys";

export function AlertList() {
  const alerts = openAlerts.value;
  const selected = alerts.find((alert) => String(alert.id) === selectedAlert.value);
  useEffect(() => {
    watched.value = [];
  }, []);
  useKeys({
    a: () => selected && isCalling(selected) && keyAcknowledge(selected),
    n: () => {
      const next = alerts[(alerts.indexOf(selected ?? alerts[0]!) + (selected ? 1 : 0)) % Math.max(1, alerts.length)];
      if (next) selectedAlert.value = String(next.id);
    },
    Escape: () => go("/"),
  });
  return (
    <main class="alert-list">
      <h1>{t("alerts.title")}</h1>
      {alerts.length === 0 && <p class="quiet">{t("alerts.none")}</p>}
      <ul class="alerts">
        {alerts.map((alert) => (
          <AlertRow key={String(alert.id)} alert={alert} keyed={alert === selected} named />
        ))}
      </ul>
    </main>
  );
}
