import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds a gateway (or the browser tests' feed server). */
const gateway = "http://127.0.0.1:8080";

export default defineConfig({
  build: {
    outDir: "../../gateway/api/static",
    emptyOutDir: true,
    target: "chrome109",
    assetsInlineLimit: 0, // nothing inline, so a strict Content-Security-Policy holds
    modulePreload: { polyfill: false },
  },
  test: { css: true }, // the contrast test reads the tokens
  server: { proxy: { "/api": { target: gateway, ws: true } } },
});
