/** One drawing per animation frame for everything on the page that moves; nothing runs when nothing is shown. */

type Draw = (localSeconds: number) => void;

const draws = new Set<Draw>();
let running = false;

function frame(): void {
  if (draws.size === 0) {
    running = false;
    return;
  }
  const local = performance.now() / 1000;
  for (const draw of draws) draw(local);
  requestAnimationFrame(frame);
}

/** Calls `draw` every animation frame until the returned function is called. */
export function onFrame(draw: Draw): () => void {
  draws.add(draw);
  if (!running) {
    running = true;
    requestAnimationFrame(frame);
  }
  return () => draws.delete(draw);
}
