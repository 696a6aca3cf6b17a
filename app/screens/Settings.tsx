// How the window behaves, when the gate is closed, what stands behind it, and what Culvert cannot do yet.
import { Switch, ToggleGroup } from "radix-ui";
import { useId, useState, type ReactNode } from "react";

import type { Policy } from "../../helper/contract/policy.ts";
import { bridge } from "../bridge.ts";
import { useFacts, useSpeak, useWord } from "../hooks.ts";
import { Dialog } from "../parts/Dialog.tsx";
import { Icon } from "../parts/Icon.tsx";
import { usePolicy } from "../stores/policy.ts";
import { usePreferences } from "../stores/preferences.ts";
import { useScreen } from "../stores/screen.ts";
import { useStatus } from "../stores/status.ts";
import { say } from "../view/say.ts";
import s from "./Settings.module.css";

export function Settings() {
  const word = useWord();
  return (
    <div className={`page ${s.page ?? ""}`}>
      <div className="head">
        <h1>{word("screen.settings")}</h1>
      </div>
      <div className={s.columns}>
        <div className={s.column}>
          <Look />
          <KillSwitch />
          <Window />
        </div>
        <div className={s.column}>
          <Behind />
          <NotYet />
        </div>
      </div>
    </div>
  );
}

function Group({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <section className={s.group}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly options: readonly { readonly value: T; readonly text: string }[];
  readonly disabled?: boolean;
  readonly onChange: (value: T) => void;
}

function Choice<T extends string>({ label, value, options, disabled = false, onChange }: ChoiceProps<T>) {
  return (
    <div className={s.line}>
      <span>{label}</span>
      <ToggleGroup.Root
        type="single"
        className="seg"
        aria-label={label}
        value={value}
        disabled={disabled}
        onValueChange={(next) => {
          const option = options.find((one) => one.value === next);
          if (option !== undefined) onChange(option.value);
        }}
      >
        {options.map((option) => (
          <ToggleGroup.Item key={option.value} value={option.value}>
            {option.text}
          </ToggleGroup.Item>
        ))}
      </ToggleGroup.Root>
    </div>
  );
}

function Look() {
  const word = useWord();
  const { preferences, change } = usePreferences();
  return (
    <Group title={word("settings.look")}>
      <Choice
        label={word("settings.theme")}
        value={preferences.theme}
        options={[
          { value: "system", text: word("settings.system") },
          { value: "light", text: word("settings.light") },
          { value: "dark", text: word("settings.dark") },
        ]}
        onChange={(theme) => void change(bridge(), { theme })}
      />
      <Choice
        label={word("settings.language")}
        value={preferences.language}
        options={[
          { value: "system", text: word("settings.system") },
          // a language is named in itself, so that whoever reads it can find it
          { value: "en", text: "English" },
          { value: "ru", text: "Русский" },
          { value: "zh", text: "中文" },
        ]}
        onChange={(language) => void change(bridge(), { language })}
      />
    </Group>
  );
}

function KillSwitch() {
  const word = useWord();
  const saved = usePolicy((store) => store.saved);
  const saving = usePolicy((store) => store.saving);
  const saveNow = usePolicy((store) => store.saveNow);
  const tellRefusal = useScreen((store) => store.tellRefusal);
  if (saved === null) return null;
  const set = (killSwitch: Policy["killSwitch"]): void => {
    void saveNow(bridge(), (policy) => ({ ...policy, killSwitch })).then(tellRefusal);
  };
  return (
    <Group title={word("settings.switch")}>
      <Choice
        label={word("settings.switch-when")}
        value={saved.killSwitch}
        disabled={saving}
        options={[
          { value: "connected", text: word("settings.switch-connected") },
          { value: "boot", text: word("settings.switch-boot") },
        ]}
        onChange={set}
      />
      <p className="label">{word(`settings.switch-words.${saved.killSwitch}`)}</p>
    </Group>
  );
}

function Window() {
  const word = useWord();
  const { preferences, environment, change } = usePreferences();
  return (
    <Group title={word("settings.window")}>
      <Toggle
        label={word("settings.tray")}
        hint={word(environment.trayAvailable ? "settings.tray-words" : "settings.tray-absent")}
        checked={preferences.tray && environment.trayAvailable}
        disabled={!environment.trayAvailable}
        onChange={(tray) => void change(bridge(), { tray })}
      />
      <Toggle
        label={word("settings.autostart")}
        hint={word("settings.autostart-words")}
        checked={preferences.autostart}
        onChange={(autostart) => void change(bridge(), { autostart })}
      />
    </Group>
  );
}

interface ToggleProps {
  readonly label: string;
  readonly hint: string;
  readonly checked: boolean;
  readonly disabled?: boolean;
  readonly onChange: (checked: boolean) => void;
}

function Toggle({ label, hint, checked, disabled = false, onChange }: ToggleProps) {
  const id = useId();
  return (
    <div className={s.line}>
      <div>
        <label htmlFor={id}>{label}</label>
        <p className="label" id={`${id}-hint`}>
          {hint}
        </p>
      </div>
      <Switch.Root
        id={id}
        className="switch"
        aria-describedby={`${id}-hint`}
        checked={checked}
        disabled={disabled}
        onCheckedChange={onChange}
      >
        <Switch.Thumb />
      </Switch.Root>
    </div>
  );
}

function Behind() {
  const word = useWord();
  const { link, status } = useFacts();
  const environment = usePreferences((store) => store.environment);
  const [asking, setAsking] = useState(false);
  const notices = status?.notices ?? [];
  return (
    <Group title={word("settings.behind")}>
      <dl className={s.facts}>
        <dt>{word("settings.app-version")}</dt>
        <dd>{environment.version}</dd>
        <dt>{word("settings.helper-version")}</dt>
        <dd>
          {link?.kind === "linked" || link?.kind === "wrong-version"
            ? link.version
            : word(`rail.link.${link?.kind ?? "reading"}`)}
        </dd>
        <dt>{word("settings.dns")}</dt>
        <dd>{status === null ? "–" : word(`settings.dns-by.${status.dns.by}`)}</dd>
      </dl>
      {notices.map((notice) => (
        <p key={notice} className="label">
          {word(`notice.${notice}`)}
        </p>
      ))}
      <div className={s.line}>
        <p className="label">{word("settings.reset-words")}</p>
        <button
          type="button"
          className="btn"
          disabled={link?.kind !== "linked"}
          onClick={() => {
            setAsking(true);
          }}
        >
          <Icon name="undo" />
          {word("settings.reset")}
        </button>
      </div>
      {asking && (
        <Reset
          onClose={() => {
            setAsking(false);
          }}
        />
      )}
    </Group>
  );
}

function Reset({ onClose }: { readonly onClose: () => void }) {
  const word = useWord();
  const speak = useSpeak();
  const reset = useStatus((store) => store.reset);
  const wish = useStatus((store) => store.wish);
  const { tellRefusal } = useScreen.getState();
  const [undone, setUndone] = useState<readonly string[] | null>(null);
  const press = async (): Promise<void> => {
    const answer = await reset(bridge());
    if (answer.ok) setUndone(answer.value.undone);
    else {
      onClose();
      tellRefusal(answer.refusal);
    }
  };
  return (
    <Dialog title={word("settings.reset-title")} onClose={onClose}>
      {undone === null ? (
        <p className="soft">{word("settings.reset-ask")}</p>
      ) : (
        <>
          <p className="soft">{speak(say("settings.reset-done", { count: undone.length }))}</p>
          <ul className={`mono ${s.undone ?? ""}`} tabIndex={0}>
            {undone.map((one, index) => (
              <li key={index}>{one}</li>
            ))}
          </ul>
        </>
      )}
      <div className={s.buttons}>
        <button type="button" className="btn" data-focus onClick={onClose}>
          {word("act.close")}
        </button>
        {undone === null && (
          <button type="button" className="btn stop" disabled={wish === "reset"} onClick={() => void press()}>
            {word("settings.reset")}
          </button>
        )}
      </div>
    </Dialog>
  );
}

const missing = ["connections", "routes", "chains", "list", "platforms"] as const;

function NotYet() {
  const word = useWord();
  return (
    <Group title={word("settings.not-yet")}>
      <ul className={s.missing}>
        {missing.map((name) => (
          <li key={name}>{word(`settings.missing.${name}`)}</li>
        ))}
      </ul>
    </Group>
  );
}
