/** The rows of the contract's table of quantities this page shows; a test compares them with the gateway's. */

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
} as const satisfies Record<string, Quantity>;

export type QuantityName = keyof typeof QUANTITIES;

export const ECG_LEADS_12 = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"] as const;
const ECG_LEADS: ReadonlySet<string> = new Set<string>([...ECG_LEADS_12, "MLII", "ECG"]);

export const isEcgLead = (name: string): boolean => ECG_LEADS.has(name);
