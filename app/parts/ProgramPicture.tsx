// A program's own picture where it has one, else the icon of its kind. Beside its name, so it says nothing by itself.
import type { Program } from "../../preload/bridge.ts";
import { Icon } from "./Icon.tsx";
import s from "./ProgramPicture.module.css";

interface Props {
  readonly program: Program;
  readonly large?: boolean;
}

export function ProgramPicture({ program, large = false }: Props) {
  const className = `${s.picture ?? ""} ${large ? (s.large ?? "") : ""}`;
  if (program.icon !== null) return <img className={className} src={program.icon} alt="" />;
  return (
    <span className={className}>
      <Icon name={program.app.kind === "unit" ? "service" : "app"} />
    </span>
  );
}
