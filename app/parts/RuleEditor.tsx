// One rule: a name, where it goes, and what it is for: programs, networks, names, and behind a fold protocol, ports, account
// and source. What is typed is parsed as the helper will parse it, and a word that is nothing of its kind is named.
import { ToggleGroup } from "radix-ui";
import { useId, useState, type ReactNode } from "react";

import type { Lane, PolicyRule } from "../../helper/contract/policy.ts";
import { useSpeak, useWord } from "../hooks.ts";
import { usePolicy } from "../stores/policy.ts";
import { usePrograms } from "../stores/programs.ts";
import { matchDetail } from "../view/board.ts";
import { formOf, readForm, type Field, type Protocol, type RuleForm } from "../view/rule-form.ts";
import type { Say } from "../view/say.ts";
import { lanes } from "../view/track.ts";
import { AccountChips, ProgramChips } from "./Chips.tsx";
import { Dialog } from "./Dialog.tsx";
import { Icon } from "./Icon.tsx";
import { LaneMark } from "./LaneMark.tsx";
import { ProgramPicker } from "./ProgramPicker.tsx";
import s from "./RuleEditor.module.css";

interface Props {
  readonly rule: PolicyRule | null;
  readonly lane: Lane;
  readonly onClose: () => void;
}

const folded: readonly Field[] = ["protocol", "ports", "users", "source"];

export function RuleEditor({ rule, lane, onClose }: Props) {
  const word = useWord();
  const speak = useSpeak();
  const { putRule, removeRule } = usePolicy.getState();
  const known = usePrograms((store) => store.known);
  const [form, setForm] = useState<RuleForm>(() => formOf(rule, lane));
  const [tried, setTried] = useState(false);
  const [picking, setPicking] = useState(false);
  const change = (part: Partial<RuleForm>): void => {
    setForm((before) => ({ ...before, ...part }));
  };
  const read = readForm(form);
  const wrong = tried && !read.ok ? read : null;
  const submit = (): void => {
    setTried(true);
    if (!read.ok) return;
    const made: PolicyRule = { id: rule?.id ?? newId(), name: form.name.trim(), match: read.match, lane: form.lane };
    putRule(made.name === "" ? { ...made, name: speak(matchDetail(made, known)).slice(0, longestName) } : made);
    onClose();
  };
  if (picking) {
    return (
      <ProgramPicker
        chosen={form.apps}
        onDone={(apps) => {
          setPicking(false);
          if (apps !== null) change({ apps });
        }}
      />
    );
  }
  return (
    <Dialog title={word(rule === null ? "rule.new" : "rule.edit")} wide onClose={onClose}>
      <form
        className={s.form}
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <Labelled label={word("rule.name")}>
          <span className="field">
            <input
              value={form.name}
              maxLength={longestName}
              placeholder={word("rule.name-hint")}
              data-focus
              onChange={(event) => {
                change({ name: event.target.value });
              }}
            />
          </span>
        </Labelled>
        <LaneChoice
          lane={form.lane}
          onChange={(chosen) => {
            change({ lane: chosen });
          }}
        />
        <div className={s.labelled}>
          <span className="label">{word("rule.apps")}</span>
          <div className={s.apps}>
            <ProgramChips
              apps={form.apps}
              onChange={(apps) => {
                change({ apps });
              }}
            />
            <button
              type="button"
              className="btn tiny"
              onClick={() => {
                setPicking(true);
              }}
            >
              <Icon name="plus" />
              {word("rule.choose")}
            </button>
          </div>
        </div>
        <div className={s.pair}>
          <Lines name="networks" hint={"192.0.2.0/24\n2001:db8::/32"} form={form} wrong={wrong} change={change} />
          <Lines name="names" hint={"example.org\n*.example.net"} form={form} wrong={wrong} change={change} />
        </div>
        <details className={s.more} open={folded.some((field) => isFilled(form, field)) || undefined}>
          <summary>{word("rule.more")}</summary>
          <div className={s.pair}>
            <ProtocolChoice
              protocol={form.protocol}
              onChange={(protocol) => {
                change({ protocol });
              }}
            />
            <Labelled label={word("rule.ports")}>
              <span className="field">
                <input
                  className="mono"
                  value={form.ports}
                  placeholder="443, 8000–8100"
                  aria-invalid={wrong?.field === "ports"}
                  onChange={(event) => {
                    change({ ports: event.target.value });
                  }}
                />
              </span>
            </Labelled>
          </div>
          <div className={s.pair}>
            <div className={s.labelled}>
              <span className="label">{word("rule.users")}</span>
              <AccountChips
                users={form.users}
                onChange={(users) => {
                  change({ users });
                }}
              />
            </div>
            <Lines name="source" hint="192.0.2.7" form={form} wrong={wrong} change={change} />
          </div>
        </details>
        <p className="label">{word("rule.fits")}</p>
        {wrong !== null && <Wrong words={wrong.say} />}
        <div className={s.buttons}>
          {rule !== null && (
            <button
              type="button"
              className="btn stop"
              onClick={() => {
                removeRule(rule.id);
                onClose();
              }}
            >
              <Icon name="trash" />
              {word("rule.remove")}
            </button>
          )}
          <span className="grow" />
          <button type="button" className="btn" onClick={onClose}>
            {word("act.close")}
          </button>
          <button type="submit" className="btn first">
            {word("rule.done")}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** As the contract has it. */
const longestName = 120;

function Labelled({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  return (
    <label className={s.labelled}>
      <span className="label">{label}</span>
      {children}
    </label>
  );
}

interface LinesProps {
  readonly name: "networks" | "names" | "source";
  readonly hint: string;
  readonly form: RuleForm;
  readonly wrong: { readonly field: Field } | null;
  readonly change: (part: Partial<RuleForm>) => void;
}

/** A field of several lines. */
function Lines({ name, hint, form, wrong, change }: LinesProps) {
  const word = useWord();
  return (
    <Labelled label={word(`rule.${name}`)}>
      <span className={`field ${s.lines ?? ""}`}>
        <textarea
          className="mono"
          value={form[name]}
          spellCheck={false}
          placeholder={hint}
          aria-invalid={wrong?.field === name}
          onChange={(event) => {
            change({ [name]: event.target.value });
          }}
        />
      </span>
    </Labelled>
  );
}

function LaneChoice({ lane, onChange }: { readonly lane: Lane; readonly onChange: (lane: Lane) => void }) {
  const word = useWord();
  return (
    <div className={s.labelled}>
      <span className="label">{word("rule.lane")}</span>
      <div className={s.apps}>
        <ToggleGroup.Root
          type="single"
          className="seg"
          aria-label={word("rule.lane")}
          value={lane}
          onValueChange={(value) => {
            const chosen = lanes.find((one) => one === value);
            if (chosen !== undefined) onChange(chosen);
          }}
        >
          {lanes.map((one) => (
            <ToggleGroup.Item key={one} value={one}>
              {word(`lane.${one}`)}
            </ToggleGroup.Item>
          ))}
        </ToggleGroup.Root>
        <span className="row label">
          <LaneMark lane={lane} />
          {word(`lanes.sees.${lane}`)}
        </span>
      </div>
    </div>
  );
}

const protocols: readonly Protocol[] = ["any", "tcp", "udp", "icmp"];

interface ProtocolProps {
  readonly protocol: Protocol;
  readonly onChange: (protocol: Protocol) => void;
}

function ProtocolChoice({ protocol, onChange }: ProtocolProps) {
  const word = useWord();
  const id = useId();
  return (
    <div className={s.labelled}>
      <span className="label" id={id}>
        {word("rule.protocol")}
      </span>
      <ToggleGroup.Root
        type="single"
        className="seg"
        aria-labelledby={id}
        value={protocol}
        onValueChange={(value) => {
          const chosen = protocols.find((one) => one === value);
          if (chosen !== undefined) onChange(chosen);
        }}
      >
        {protocols.map((one) => (
          <ToggleGroup.Item key={one} value={one}>
            {one === "any" ? word("rule.protocol-any") : one.toUpperCase()}
          </ToggleGroup.Item>
        ))}
      </ToggleGroup.Root>
    </div>
  );
}

function Wrong({ words }: { readonly words: Say }) {
  const speak = useSpeak();
  return (
    <div className="note bad" role="alert">
      <Icon name="warn" />
      <p>{speak(words)}</p>
    </div>
  );
}

function isFilled(form: RuleForm, field: Field): boolean {
  if (field === "protocol") return form.protocol !== "any";
  return form[field].length > 0;
}

/** Random, so that two drafts never share a rule's name in the helper's counters. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return `rule-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
