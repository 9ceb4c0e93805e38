/** Milliseconds before attempt `attempt` (0, 1, 2 ...): full jitter over 0.5 s doubling to 8 s, never under 200 ms. */
export function backoff(attempt: number, random: number): number {
  const ceiling = Math.min(8_000, 500 * 2 ** Math.min(attempt, 10));
  return Math.max(200, Math.round(random * ceiling));
}
