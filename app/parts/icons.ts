// Line icons: 16 grid, line 1.5, round ends, no fills but dots and the favourite star. Values are SVG path data; dots are
// zero-length strokes. An icon always stands beside a word or carries an accessible name on its button.
export const icons = {
  connect: "M1 3h14M1 13.5h2.8V10a4.2 4.2 0 0 1 8.4 0v3.5H15",
  nodes:
    "M1.5 11.5a2 2 0 1 0 4 0a2 2 0 1 0 -4 0zM10.5 4.5a2 2 0 1 0 4 0a2 2 0 1 0 -4 0zM5.2 10.3l5.6-4.6M12.5 6.5v7M9.5 13.5h5",
  lanes: "M1.5 3.5h13M1.5 3.5h3l3.5 4.5h6.5M1.5 3.5l5.5 9h4M11.5 10.5v4",
  leaks: "M8 1.5c2.8 3.3 4.2 5.4 4.2 7.4a4.2 4.2 0 0 1-8.4 0C3.8 6.9 5.2 4.8 8 1.5zM6 9.2l1.5 1.5L10.2 8",
  settings:
    "M1.5 4.5h7M12.5 4.5h2M1.5 11.5h2M7.5 11.5h7M8.5 4.5a2 2 0 1 0 4 0a2 2 0 1 0 -4 0zM3.5 11.5a2 2 0 1 0 4 0a2 2 0 1 0 -4 0z",
  search: "M2.5 7a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0zM10.5 10.5l4 4",
  star: "M8 1.8l1.9 4 4.3.5-3.2 3 .9 4.3L8 11.4l-3.9 2.2.9-4.3-3.2-3 4.3-.5z",
  check: "M2.5 8.5l3.5 3.5 7.5-8",
  cross: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  warn: "M8 2l6.5 11.5h-13zM8 6.5v3.2M8 11.7v.1",
  plus: "M8 2.5v11M2.5 8h11",
  right: "M6 3l5 5-5 5",
  open: "M3 6l5 5 5-5",
  swap: "M2 5.5h11M10 2.5l3 3-3 3M14 10.5H3M6 7.5l-3 3 3 3",
  clock: "M2 8a6 6 0 1 0 12 0a6 6 0 1 0 -12 0zM8 4.5V8l2.5 1.8",
  file: "M3.5 1.5h6l3 3v10h-9zM9.5 1.5v3h3M6 8.5h4M6 11h4",
  paste: "M5.5 3H3.5v11h9V3h-2M5.5 1.8h5V4.5h-5zM6 8h4M6 10.7h4",
  repair: "M2.5 8a5.5 5.5 0 0 1 9.8-3.4M13.5 8a5.5 5.5 0 0 1-9.8 3.4M12.5 1.8v3h-3M3.5 14.2v-3h3",
  grip: "M6 4h.1M10 4h.1M6 8h.1M10 8h.1M6 12h.1M10 12h.1",
  net: "M8 2v4M3.5 14v-4h9v4M8 6v4M6 2h4",
  name: "M2 3.5h7l5 4.5-5 4.5H2zM5 8h.1",
  port: "M6 1.5v3M10 1.5v3M4 4.5h8v3.5a4 4 0 0 1-8 0zM8 12v2.5",
  undo: "M5.5 3L2.5 6l3 3M2.5 6h7a4 4 0 0 1 0 8h-3",
  save: "M8 1.5V10M4.5 6.5L8 10l3.5-3.5M2 13.5h12",
  machine: "M1.5 2.5h13v8.5h-13zM5.5 14h5M8 11v3",
  app: "M1.5 3h13v10h-13zM1.5 6h13M3.7 4.5h.1M5.7 4.5h.1",
  user: "M5.2 5a2.8 2.8 0 1 0 5.6 0a2.8 2.8 0 1 0 -5.6 0zM2.5 14.3c0-3.2 2.4-4.8 5.5-4.8s5.5 1.6 5.5 4.8",
  service: "M2 2.5h12v4.6H2zM2 8.9h12v4.6H2zM4.5 4.8h.1M4.5 11.2h.1",
  lock: "M3 7.5h10V14H3zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5",
  box: "M2 5l6-3.2L14 5v6.5l-6 3-6-3zM2 5l6 3 6-3M8 8v6.5",
  printer: "M4 5.5v-4h8v4M4 11H1.5V5.5h13V11H12M4 9h8v5.5H4z",
  drill: "M4 2.5l9 5.5-9 5.5z",
  edit: "M2.5 13.5l.8-3.2 7.6-7.6 2.4 2.4-7.6 7.6zM9.4 4.2l2.4 2.4",
  trash: "M2.5 4h11M6 4V2.2h4V4M4 4l.7 10h6.6L12 4M6.7 6.8v4.4M9.3 6.8v4.4",
} as const;

export type IconName = keyof typeof icons;
