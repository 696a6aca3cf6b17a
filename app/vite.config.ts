// The window's bundle. Relative addresses, because it is opened from disk; no inlined assets and no module preload
// polyfill, because the Content-Security-Policy allows neither data: nor inline scripts; Chromium 108 is Electron 22's.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  plugins: [react()],
  build: {
    outDir: "../dist/app",
    emptyOutDir: true,
    target: "chrome108",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
