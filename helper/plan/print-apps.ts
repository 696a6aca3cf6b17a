// Programs of a plan as text. No command equals this: the nearest that a careful operator has is to start the program in a
// cgroup and mark that, which moves it; so it is said as what happens to its sockets.
import type { App } from "../contract/policy.ts";
import type { PlanApps } from "./plan.ts";

/** null: no program is marked. */
export function printApps(apps: PlanApps | null): readonly string[] {
  if (apps === null) return ["sockets of programs: no mark"];
  const programs = apps.programs.map((one) => ({ ...one, mark: apps.marks[one.class]?.[0] ?? 0 }));
  const places = apps.places.map((one) => ({ ...one, mark: apps.marks[0]?.[one.class] ?? 0 }));
  const alone = [...programs, ...places].map(({ app, mark }) => `sockets of ${printApp(app)}: ${printMark(mark)}`);
  const both = programs.flatMap((program) =>
    places.flatMap((place) => {
      const mark = apps.marks[program.class]?.[place.class] ?? 0;
      const told = mark === program.mark || mark === place.mark;
      return told ? [] : [`sockets of ${printApp(program.app)} in ${printApp(place.app)}: ${printMark(mark)}`];
    }),
  );
  return [...alone, ...both];
}

export function printApp(app: App): string {
  switch (app.kind) {
    case "executable":
      return app.path;
    case "desktop":
    case "flatpak":
      return `${app.kind} ${app.id}`;
    case "snap":
    case "unit":
      return `${app.kind} ${app.name}`;
  }
}

function printMark(mark: number): string {
  return mark === 0 ? "no mark" : `mark 0x${mark.toString(16)}`;
}
