// Bringing a node: a file dropped or chosen, or text pasted, shown with its secrets covered, then added. A refusal stands
// beside the line it speaks of, and nothing is cleared: the person mends the text where it is.
import { useEffect, useRef, useState, type DragEvent } from "react";

import type { Node } from "../../helper/contract/node.ts";
import type { Refusal } from "../../helper/contract/refusal.ts";
import { bridge } from "../bridge.ts";
import { useSpeak, useWord } from "../hooks.ts";
import { useNodes } from "../stores/nodes.ts";
import { maxConfBytes, nameFromFile, previewLines } from "../view/conf-preview.ts";
import { sayRefusal } from "../view/refusal.ts";
import { Icon } from "./Icon.tsx";
import s from "./AddForm.module.css";

interface Source {
  readonly name: string;
  readonly text: string;
  readonly pasted: boolean;
}

interface Props {
  readonly onAdded: (node: Node, connect: boolean) => void;
  readonly later: string | null;
}

export function AddForm({ onAdded, later }: Props) {
  const word = useWord();
  const add = useNodes((store) => store.add);
  const [source, setSource] = useState<Source | null>(null);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const [busy, setBusy] = useState(false);
  const take = (next: Source | null): void => {
    setSource(next);
    setRefusal(null);
  };
  const submit = async (connect: boolean): Promise<void> => {
    if (source === null) return;
    setBusy(true);
    const answer = await add(bridge(), source.name.trim(), source.text);
    setBusy(false);
    if (answer.ok) onAdded(answer.value, connect);
    else setRefusal(answer.refusal);
  };
  const ready = source !== null && source.text.trim() !== "" && source.name.trim() !== "" && !busy;
  return (
    <div className={s.form}>
      <Drop small={source !== null} take={take} setRefusal={setRefusal} />
      {source === null ? (
        <button
          type="button"
          className={`plate ${s.paste ?? ""}`}
          onClick={() => {
            take({ name: "", text: "", pasted: true });
          }}
        >
          <Icon name="paste" />
          <b>{word("add.paste")}</b>
          <span className="label">{word("add.paste-hint")}</span>
        </button>
      ) : (
        <Given source={source} refusal={refusal} take={take} />
      )}
      {refusal !== null && <Refused refusal={refusal} />}
      <div className={s.end}>
        {later !== null && <span className="label">{later}</span>}
        <span className="grow" />
        <button type="button" className="btn big" disabled={!ready} onClick={() => void submit(false)}>
          {word("add.only")}
        </button>
        <button type="button" className="btn big first" disabled={!ready} onClick={() => void submit(true)}>
          {word("add.connect")}
        </button>
      </div>
    </div>
  );
}

interface DropProps {
  readonly small: boolean;
  readonly take: (source: Source) => void;
  readonly setRefusal: (refusal: Refusal) => void;
}

function Drop({ small, take, setRefusal }: DropProps) {
  const word = useWord();
  const [over, setOver] = useState(false);
  const choose = async (): Promise<void> => {
    const file = await bridge().chooseConfiguration();
    if (file !== null) take({ name: nameFromFile(file.name), text: file.text, pasted: false });
  };
  const drop = async (event: DragEvent): Promise<void> => {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file === undefined) return;
    // a file of gigabytes must not be read to be refused
    if (file.size > maxConfBytes) setRefusal({ code: "conf.too-big", data: { bytes: maxConfBytes } });
    else take({ name: nameFromFile(file.name), text: await file.text(), pasted: false });
  };
  return (
    <div
      data-drop
      className={`${s.drop ?? ""} ${over ? (s.over ?? "") : ""} ${small ? (s.small ?? "") : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => {
        setOver(false);
      }}
      onDrop={(event) => void drop(event)}
    >
      <Icon name="file" />
      <div className="grow">
        <b>{word(small ? "add.drop-other" : "add.drop")}</b>
        <p className="label">{word("add.kinds")}</p>
      </div>
      <button type="button" className="btn" onClick={() => void choose()}>
        {word("add.choose")}
      </button>
    </div>
  );
}

interface GivenProps {
  readonly source: Source;
  readonly refusal: Refusal | null;
  readonly take: (source: Source | null) => void;
}

function Given({ source, refusal, take }: GivenProps) {
  const word = useWord();
  const line = typeof refusal?.data["line"] === "number" ? refusal.data["line"] : null;
  return (
    <div className={`plate ${s.given ?? ""}`} data-given>
      <div className={s.named}>
        <label className={`field ${s.name ?? ""}`}>
          <span className="label">{word("add.name")}</span>
          <input
            value={source.name}
            maxLength={120}
            onChange={(event) => {
              take({ ...source, name: event.target.value });
            }}
          />
        </label>
        <button
          type="button"
          className="btn bare icon"
          aria-label={word("add.forget")}
          title={word("add.forget")}
          onClick={() => {
            take(null);
          }}
        >
          <Icon name="cross" />
        </button>
      </div>
      {source.pasted ? (
        <Pasted
          text={source.text}
          marked={line}
          onChange={(text) => {
            take({ ...source, text });
          }}
        />
      ) : (
        <Preview text={source.text} marked={line} />
      )}
    </div>
  );
}

interface PastedProps {
  readonly text: string;
  readonly marked: number | null;
  readonly onChange: (text: string) => void;
}

/** The line that was refused is selected, which also brings it into sight. */
function Pasted({ text, marked, onChange }: PastedProps) {
  const word = useWord();
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    const element = area.current;
    if (element === null || marked === null) return;
    const before = element.value.split("\n").slice(0, marked - 1);
    const start = before.join("\n").length + (before.length > 0 ? 1 : 0);
    const end = element.value.indexOf("\n", start);
    element.focus();
    element.setSelectionRange(start, end < 0 ? element.value.length : end);
    element.scrollTop = (element.scrollHeight / element.value.split("\n").length) * (marked - 3);
  }, [marked]);
  return (
    <div className={`field ${s.text ?? ""}`}>
      <textarea
        ref={area}
        className="mono"
        value={text}
        autoFocus
        spellCheck={false}
        wrap="off"
        placeholder={"[Interface]"}
        aria-label={word("add.paste")}
        onChange={(event) => {
          onChange(event.target.value);
        }}
      />
    </div>
  );
}

function Preview({ text, marked }: { readonly text: string; readonly marked: number | null }) {
  const word = useWord();
  const mark = useRef<HTMLLIElement>(null);
  // a long file is shown from its beginning, or around the line that was refused
  const first = marked === null ? 0 : Math.max(0, marked - shownLines / 2);
  useEffect(() => {
    mark.current?.scrollIntoView({ block: "center" });
  }, [marked]);
  return (
    <ol className={`mono ${s.preview ?? ""}`} tabIndex={0} aria-label={word("add.preview")}>
      {previewLines(text)
        .slice(first, first + shownLines)
        .map((line) => (
          <li
            key={line.number}
            ref={line.number === marked ? mark : null}
            className={line.number === marked ? s.marked : ""}
          >
            <span aria-hidden="true">{line.number}</span>
            {line.text}
          </li>
        ))}
    </ol>
  );
}

const shownLines = 400;

function Refused({ refusal }: { readonly refusal: Refusal }) {
  const speak = useSpeak();
  return (
    <div className="note bad" role="alert">
      <Icon name="warn" />
      <p>{speak(sayRefusal(refusal))}</p>
    </div>
  );
}
