/** Makes a millimetre on this screen a millimetre: a box to compare with a bank card (ISO/IEC 7810 ID-1). */
import { DEFAULT_PX_PER_MM, pxPerMm } from "../state/prefs";
import { t } from "../text/text";
import { px } from "./size";

const CARD_WIDTH = 85.6; // mm
const CARD_HEIGHT = 53.98;

export function Ruler(props: { close: () => void }) {
  const mm = pxPerMm.value;
  return (
    <div class="ruler" role="dialog" aria-label={t("ruler.title")}>
      <p>{t("ruler.text")}</p>
      <div class="id-card" style={{ width: px(CARD_WIDTH * mm), height: px(CARD_HEIGHT * mm) }} />
      <label>
        <input
          type="range"
          min="2"
          max="12"
          step="0.01"
          value={mm}
          onInput={(event) => (pxPerMm.value = Number(event.currentTarget.value))}
        />
        <span class="tabular">{t("ruler.value", { px: mm.toFixed(2) })}</span>
      </label>
      <button type="button" onClick={() => (pxPerMm.value = DEFAULT_PX_PER_MM)}>
        {t("ruler.reset")}
      </button>
      <button type="button" class="primary" onClick={props.close}>
        {t("ruler.done")}
      </button>
    </div>
  );
}
