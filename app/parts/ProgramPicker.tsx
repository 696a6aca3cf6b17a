// Chooses programs for a rule: what runs, what is installed, services, and any executable by its path or from a file dialog.
// One list box: arrows, Home and End move, Space and Enter choose; what is typed searches, from anywhere.
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent } from "react";

import type { App } from "../../helper/contract/policy.ts";
import type { Program } from "../../preload/bridge.ts";
import { bridge } from "../bridge.ts";
import { useWord } from "../hooks.ts";
import { usePrograms } from "../stores/programs.ts";
import { appKey, listPrograms, recognisedBy } from "../view/programs.ts";
import { Dialog } from "./Dialog.tsx";
import { Icon } from "./Icon.tsx";
import { ProgramPicture } from "./ProgramPicture.tsx";
import s from "./ProgramPicker.module.css";

interface Props {
  readonly chosen: readonly App[];
  /** null: nothing is changed. */
  readonly onDone: (apps: readonly App[] | null) => void;
}

export function ProgramPicker({ chosen: before, onDone }: Props) {
  const word = useWord();
  const { known, asked } = usePrograms();
  const [query, setQuery] = useState("");
  const [chosen, setChosen] = useState<readonly App[]>(before);
  const [at, setAt] = useState<string | null>(null);
  const listId = useId();
  useEffect(() => {
    void usePrograms.getState().read(bridge());
  }, []);
  // a row stays where it is while it is chosen: only what was chosen before stands first
  const groups = useMemo(() => listPrograms(known.programs, before, query), [known, before, query]);
  const rows = groups.flatMap((group) => group.programs);
  const active = rows.find((one) => appKey(one.app) === at) ?? rows[0];
  const isChosen = (app: App): boolean => chosen.some((one) => appKey(one) === appKey(app));
  const toggle = ({ app }: Program): void => {
    setAt(appKey(app));
    setChosen(isChosen(app) ? chosen.filter((one) => appKey(one) !== appKey(app)) : [...chosen, app]);
  };
  const chooseFile = async (): Promise<void> => {
    const path = await bridge().chooseProgram();
    if (path === null) return;
    const app: App = { kind: "executable", path };
    if (!isChosen(app)) setChosen([...chosen, app]);
    setQuery(path);
  };
  const press = (event: KeyboardEvent): void => {
    const place = active === undefined ? -1 : rows.indexOf(active);
    const steps: Record<string, number> = {
      ArrowDown: place + 1,
      ArrowUp: place - 1,
      PageDown: place + pageRows,
      PageUp: place - pageRows,
    };
    const step = steps[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const next = rows[Math.max(0, Math.min(rows.length - 1, step))];
      if (next !== undefined) setAt(appKey(next.app));
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (event.ctrlKey || event.metaKey) onDone(chosen);
      else if (active !== undefined) toggle(active);
    }
  };
  return (
    <Dialog
      title={word("programs.title")}
      wide
      onClose={() => {
        onDone(null);
      }}
    >
      <div className={s.picker}>
        <div className={s.head}>
          <label className="field grow">
            <Icon name="search" />
            <input
              type="search"
              role="combobox"
              aria-expanded="true"
              aria-controls={listId}
              aria-activedescendant={active === undefined ? undefined : rowId(listId, active)}
              aria-label={word("programs.search")}
              placeholder={word("programs.search")}
              value={query}
              data-focus
              onKeyDown={press}
              onChange={(event) => {
                setQuery(event.target.value);
                setAt(null);
              }}
            />
          </label>
          <button type="button" className="btn" onClick={() => void chooseFile()}>
            <Icon name="file" />
            {word("programs.file")}
          </button>
        </div>
        <div
          className={s.list}
          id={listId}
          role="listbox"
          aria-multiselectable="true"
          aria-label={word("programs.list")}
        >
          {groups.map(({ group, programs }) => (
            <div key={group} role="group" aria-label={word(`programs.group.${group}`)}>
              <div className={`label ${s.group ?? ""}`} aria-hidden="true">
                {word(`programs.group.${group}`)}
              </div>
              {programs.map((program) => (
                <Row
                  key={appKey(program.app)}
                  id={rowId(listId, program)}
                  program={program}
                  chosen={isChosen(program.app)}
                  active={program === active}
                  onPress={() => {
                    toggle(program);
                  }}
                />
              ))}
            </div>
          ))}
          {rows.length === 0 && (
            <p className={`soft ${s.none ?? ""}`}>{word(noRows(known.programs.length, asked, query))}</p>
          )}
        </div>
        <div className={s.foot}>
          <span className="label">{word("programs.children")}</span>
          <span className="grow" />
          <button
            type="button"
            className="btn"
            onClick={() => {
              onDone(null);
            }}
          >
            {word("act.close")}
          </button>
          <button
            type="button"
            className="btn first"
            onClick={() => {
              onDone(chosen);
            }}
          >
            {chosen.length === 0
              ? word("rule.done")
              : `${word("rule.done")}: ${word("programs.chosen", { count: chosen.length })}`}
          </button>
        </div>
      </div>
    </Dialog>
  );
}

function noRows(listed: number, asked: boolean, query: string): string {
  if (!asked) return "programs.reading";
  return listed === 0 && query.trim() === "" ? "programs.not-listed" : "programs.none";
}

/** About what the list shows at once. */
const pageRows = 8;

const rowId = (list: string, { app }: Program): string => `${list}${appKey(app)}`.replace(/\s/g, "_");

interface RowProps {
  readonly id: string;
  readonly program: Program;
  readonly chosen: boolean;
  readonly active: boolean;
  readonly onPress: () => void;
}

function Row({ id, program, chosen, active, onPress }: RowProps) {
  const word = useWord();
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (active) element.current?.scrollIntoView({ block: "nearest" });
  }, [active]);
  return (
    <div
      ref={element}
      id={id}
      role="option"
      aria-selected={chosen}
      className={`${s.row ?? ""} ${active ? (s.active ?? "") : ""}`}
      onClick={onPress}
    >
      <span className={s.box}>{chosen && <Icon name="check" />}</span>
      <ProgramPicture program={program} large />
      <span className={s.name}>
        <b className="cut">{program.name}</b>
        <span className="label cut">{recognisedBy(program.app)}</span>
      </span>
      <span className={`label ${s.kind ?? ""}`}>{word(`programs.kind.${program.app.kind}`)}</span>
      {program.running && <span className="chip">{word("programs.running")}</span>}
    </div>
  );
}
