/** The only place that reads a clock. Microseconds since 1970, steady: a step of the computer's clock does not show. */
export const localUs = (): number => Math.round((performance.timeOrigin + performance.now()) * 1000);
export const localSeconds = (): number => performance.now() / 1000;
