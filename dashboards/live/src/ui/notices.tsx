/** What the gateway tells people, on the screen: who is asked, and why now. Gone when the alert is taken or over. */
import { computed, signal } from "@preact/signals";
import type { Notice } from "../feed/types";
import { alertPath, follow, page } from "../router";
import { alerts, notices, now, session, unit } from "../state/store";
import { isSounding } from "../state/urgency";
import { clockTime, t, tCode } from "../text/text";
import { PriorityShape } from "./icons";

const SHOWN_FOR = 120_000_000; // us
const MOST = 3;

const dismissed = signal<ReadonlySet<string>>(new Set());

const isMine = (notice: Notice): boolean => notice.recipients.includes(session.value?.username ?? "");

/** A new alert is in the list already: others' screens hear of it again only when nobody takes it. */
const concerns = (notice: Notice): boolean => isMine(notice) || notice.reason !== "raised";

const standing = computed(() => {
  const last = new Map<string, Notice>(); // the newest of each alert
  for (const notice of notices.value) if (concerns(notice)) last.set(notice.alert, notice);
  if (page.value.at === "alerts") return []; // the list itself says more of each
  const here = page.value.at === "alert" ? page.value.alert : null;
  return [...last.values()]
    .filter((notice) => {
      const alert = alerts.value.get(notice.alert);
      const waits = alert !== undefined && isSounding(alert);
      return waits && notice.alert !== here && !dismissed.value.has(notice.id) && now.value - notice.at < SHOWN_FOR;
    })
    .sort((a, b) => Number(isMine(b)) - Number(isMine(a)) || b.at - a.at);
});

function Toast({ notice }: { notice: Notice }) {
  const role = tCode("duty", notice.role);
  return (
    <li class={`toast ${notice.priority}`} data-notice={notice.alert}>
      <PriorityShape priority={notice.priority} calling={false} />
      <div class="toast-text">
        <p>
          <span class="word">{t(`priority.${notice.priority}`)}</span>{" "}
          {notice.unit && (unit(notice.unit)?.name ?? notice.unit)}{" "}
          <a href={alertPath(notice.alert)} onClick={follow}>
            {tCode("rule", notice.rule)}
          </a>
        </p>
        <p class="quiet">
          {isMine(notice) ? <strong>{t("notice.you")}</strong> : t("notice.role", { role })} ·{" "}
          {tCode("why-told", notice.reason)} · <span class="tabular">{clockTime(notice.at)}</span>
        </p>
      </div>
      <button
        type="button"
        class="plain"
        aria-label={t("notice.dismiss")}
        onClick={() => (dismissed.value = new Set(dismissed.peek()).add(notice.id))}
      >
        ×
      </button>
    </li>
  );
}

export function Notices() {
  const all = standing.value;
  const more = all.length - MOST;
  return (
    <section class="toasts" role="status" aria-label={t("notice.region")}>
      <ul>
        {all.slice(0, MOST).map((notice) => (
          <Toast key={notice.id} notice={notice} />
        ))}
      </ul>
      {more > 0 && <p class="quiet">{t("notice.more", { n: more })}</p>}
    </section>
  );
}
