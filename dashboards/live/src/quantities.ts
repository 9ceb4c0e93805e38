/** The rows of the contract's table of quantities as this page shows them; a test compares them with the gateway's. */

export interface Quantity {
  unit: string; // UCUM, as in the contract
  shown: string; // as people write it
  decimals: number;
  expectedInterval: number; // us
}

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;

export const QUANTITIES = {
  "heart-rate": { unit: "/min", shown: "/min", decimals: 0, expectedInterval: SECOND },
  "pulse-rate": { unit: "/min", shown: "/min", decimals: 0, expectedInterval: SECOND },
  spo2: { unit: "%", shown: "%", decimals: 0, expectedInterval: SECOND },
  "resp-rate": { unit: "/min", shown: "/min", decimals: 0, expectedInterval: SECOND },
  "bp-systolic": { unit: "mm[Hg]", shown: "mmHg", decimals: 0, expectedInterval: 5 * MINUTE },
  "bp-diastolic": { unit: "mm[Hg]", shown: "mmHg", decimals: 0, expectedInterval: 5 * MINUTE },
  "bp-mean": { unit: "mm[Hg]", shown: "mmHg", decimals: 0, expectedInterval: 5 * MINUTE },
  temperature: { unit: "Cel", shown: "°C", decimals: 1, expectedInterval: SECOND },
  latitude: { unit: "deg", shown: "°", decimals: 5, expectedInterval: SECOND },
  longitude: { unit: "deg", shown: "°", decimals: 5, expectedInterval: SECOND },
  speed: { unit: "km/h", shown: "km/h", decimals: 0, expectedInterval: SECOND },
  course: { unit: "deg", shown: "°", decimals: 0, expectedInterval: SECOND },
  "perfusion-index": { unit: "%", shown: "%", decimals: 1, expectedInterval: SECOND },
  etco2: { unit: "mm[Hg]", shown: "mmHg", decimals: 0, expectedInterval: SECOND },
  "cuff-pressure": { unit: "mm[Hg]", shown: "mmHg", decimals: 0, expectedInterval: 0 },
  glucose: { unit: "mmol/L", shown: "mmol/L", decimals: 1, expectedInterval: 0 },
  weight: { unit: "kg", shown: "kg", decimals: 1, expectedInterval: 0 },
  height: { unit: "cm", shown: "cm", decimals: 0, expectedInterval: 0 },
  bmi: { unit: "kg/m2", shown: "kg/m²", decimals: 1, expectedInterval: 0 },
  "troponin-i": { unit: "ng/L", shown: "ng/L", decimals: 0, expectedInterval: 0 },
  "blood-ph": { unit: "[pH]", shown: "", decimals: 2, expectedInterval: 0 },
  pco2: { unit: "mm[Hg]", shown: "mmHg", decimals: 0, expectedInterval: 0 },
  po2: { unit: "mm[Hg]", shown: "mmHg", decimals: 0, expectedInterval: 0 },
  lactate: { unit: "mmol/L", shown: "mmol/L", decimals: 1, expectedInterval: 0 },
  potassium: { unit: "mmol/L", shown: "mmol/L", decimals: 1, expectedInterval: 0 },
  sodium: { unit: "mmol/L", shown: "mmol/L", decimals: 0, expectedInterval: 0 },
  "tidal-volume": { unit: "mL", shown: "mL", decimals: 0, expectedInterval: SECOND },
  "minute-volume": { unit: "L/min", shown: "L/min", decimals: 1, expectedInterval: SECOND },
  "peak-airway-pressure": { unit: "cm[H2O]", shown: "cmH₂O", decimals: 0, expectedInterval: SECOND },
  peep: { unit: "cm[H2O]", shown: "cmH₂O", decimals: 0, expectedInterval: SECOND },
  fio2: { unit: "%", shown: "%", decimals: 0, expectedInterval: SECOND },
  "infusion-rate": { unit: "mL/h", shown: "mL/h", decimals: 1, expectedInterval: 10 * SECOND },
  "infused-volume": { unit: "mL", shown: "mL", decimals: 0, expectedInterval: 10 * SECOND },
  "volume-remaining": { unit: "mL", shown: "mL", decimals: 0, expectedInterval: 10 * SECOND },
  "shock-energy": { unit: "J", shown: "J", decimals: 0, expectedInterval: 0 },
  "shock-impedance": { unit: "Ohm", shown: "Ω", decimals: 0, expectedInterval: 0 },
  "supply-voltage": { unit: "V", shown: "V", decimals: 1, expectedInterval: 10 * SECOND },
  "output-voltage": { unit: "V", shown: "V", decimals: 1, expectedInterval: 10 * SECOND },
  "output-load": { unit: "%", shown: "%", decimals: 0, expectedInterval: 10 * SECOND },
  "supply-frequency": { unit: "Hz", shown: "Hz", decimals: 1, expectedInterval: 10 * SECOND },
  "battery-current": { unit: "A", shown: "A", decimals: 0, expectedInterval: 10 * SECOND },
  "battery-time-left": { unit: "min", shown: "min", decimals: 0, expectedInterval: 10 * SECOND },
  "device-temperature": { unit: "Cel", shown: "°C", decimals: 1, expectedInterval: 10 * SECOND },
  "supply-current": { unit: "A", shown: "A", decimals: 0, expectedInterval: 10 * SECOND },
  "oxygen-pressure": { unit: "kPa", shown: "kPa", decimals: 0, expectedInterval: 10 * SECOND },
  "oxygen-flow": { unit: "L/min", shown: "L/min", decimals: 1, expectedInterval: 10 * SECOND },
  "oxygen-purity": { unit: "%", shown: "%", decimals: 1, expectedInterval: 10 * SECOND },
  "oxygen-remaining": { unit: "L", shown: "L", decimals: 0, expectedInterval: 10 * SECOND },
  "bed-load": { unit: "kg", shown: "kg", decimals: 1, expectedInterval: 10 * SECOND },
  "head-angle": { unit: "deg", shown: "°", decimals: 0, expectedInterval: 10 * SECOND },
  "knee-angle": { unit: "deg", shown: "°", decimals: 0, expectedInterval: 10 * SECOND },
  "bed-height": { unit: "mm", shown: "mm", decimals: 0, expectedInterval: 10 * SECOND },
  "bed-tilt": { unit: "deg", shown: "°", decimals: 0, expectedInterval: 10 * SECOND },
  "mattress-pressure": { unit: "kPa", shown: "kPa", decimals: 1, expectedInterval: 10 * SECOND },
  "mattress-set-pressure": { unit: "kPa", shown: "kPa", decimals: 1, expectedInterval: 10 * SECOND },
  "mattress-cycle": { unit: "min", shown: "min", decimals: 0, expectedInterval: 10 * SECOND },
  "contact-pressure-peak": { unit: "kPa", shown: "kPa", decimals: 1, expectedInterval: 10 * SECOND },
  presence: { unit: "1", shown: "", decimals: 0, expectedInterval: 10 * SECOND },
  movement: { unit: "1", shown: "", decimals: 0, expectedInterval: 10 * SECOND },
  "running-time": { unit: "h", shown: "h", decimals: 0, expectedInterval: MINUTE },
  "cargo-temperature-1": { unit: "Cel", shown: "°C", decimals: 1, expectedInterval: 10 * SECOND },
  "cargo-temperature-2": { unit: "Cel", shown: "°C", decimals: 1, expectedInterval: 10 * SECOND },
  "cargo-temperature-3": { unit: "Cel", shown: "°C", decimals: 1, expectedInterval: 10 * SECOND },
  "cargo-temperature-4": { unit: "Cel", shown: "°C", decimals: 1, expectedInterval: 10 * SECOND },
  "cargo-temperature-5": { unit: "Cel", shown: "°C", decimals: 1, expectedInterval: 10 * SECOND },
  "cargo-temperature-6": { unit: "Cel", shown: "°C", decimals: 1, expectedInterval: 10 * SECOND },
  "cargo-temperature-7": { unit: "Cel", shown: "°C", decimals: 1, expectedInterval: 10 * SECOND },
  "cargo-temperature-8": { unit: "Cel", shown: "°C", decimals: 1, expectedInterval: 10 * SECOND },
  "supply-air-temperature": { unit: "Cel", shown: "°C", decimals: 1, expectedInterval: 10 * SECOND },
  "return-air-temperature": { unit: "Cel", shown: "°C", decimals: 1, expectedInterval: 10 * SECOND },
  "evaporator-temperature": { unit: "Cel", shown: "°C", decimals: 1, expectedInterval: 10 * SECOND },
  "set-point-temperature": { unit: "Cel", shown: "°C", decimals: 1, expectedInterval: 10 * SECOND },
  "ambient-temperature": { unit: "Cel", shown: "°C", decimals: 1, expectedInterval: MINUTE },
  humidity: { unit: "%", shown: "%", decimals: 0, expectedInterval: MINUTE },
  load: { unit: "kg", shown: "kg", decimals: 1, expectedInterval: 10 * SECOND },
  rssi: { unit: "dB[mW]", shown: "dBm", decimals: 0, expectedInterval: SECOND },
  "battery-voltage": { unit: "V", shown: "V", decimals: 2, expectedInterval: MINUTE },
  altitude: { unit: "m", shown: "m", decimals: 0, expectedInterval: SECOND },
  hdop: { unit: "1", shown: "", decimals: 1, expectedInterval: SECOND },
  "position-error": { unit: "m", shown: "m", decimals: 0, expectedInterval: SECOND },
  "altitude-error": { unit: "m", shown: "m", decimals: 0, expectedInterval: SECOND },
  battery: { unit: "%", shown: "%", decimals: 0, expectedInterval: MINUTE },
  "rr-interval": { unit: "ms", shown: "ms", decimals: 0, expectedInterval: 0 },
} as const satisfies Record<string, Quantity>;

export type QuantityName = keyof typeof QUANTITIES;

export const ECG_LEADS_12 = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"] as const;
const ECG_LEADS: ReadonlySet<string> = new Set<string>([...ECG_LEADS_12, "MLII", "ECG"]);

export const isEcgLead = (name: string): boolean => ECG_LEADS.has(name);
