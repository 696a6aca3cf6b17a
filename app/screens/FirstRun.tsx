// What a newcomer sees: the helper is missing, speaks another version, does not let this account in, or there is no node
// yet. Each says what is so, what it means and the one next step.
import { bridge } from "../bridge.ts";
import { useWord } from "../hooks.ts";
import { AddForm } from "../parts/AddForm.tsx";
import { Icon } from "../parts/Icon.tsx";
import type { IconName } from "../parts/icons.ts";
import { Logo } from "../parts/Lamp.tsx";
import { usePreferences } from "../stores/preferences.ts";
import { useScreen } from "../stores/screen.ts";
import { useStatus } from "../stores/status.ts";
import { say } from "../view/say.ts";
import s from "./FirstRun.module.css";

type Reason = "absent" | "not-allowed" | "wrong-version" | "no-nodes";

const promises: readonly { readonly icon: IconName; readonly key: string }[] = [
  { icon: "file", key: "first.promise.read" },
  { icon: "lock", key: "first.promise.key" },
  { icon: "undo", key: "first.promise.undo" },
];

export function FirstRun({ reason }: { readonly reason: Reason }) {
  const word = useWord();
  const { show } = useScreen.getState();
  return (
    <div className={s.first}>
      <section className={s.lead}>
        <Logo size={44} />
        <h1>{word(`first.${reason}.title`)}</h1>
        <p>{word(`first.${reason}.lead`)}</p>
        <ol>
          {promises.map(({ icon, key }) => (
            <li key={key}>
              <Icon name={icon} />
              <span>{word(key)}</span>
            </li>
          ))}
        </ol>
        <button
          type="button"
          className={`btn bare ${s.settings ?? ""}`}
          onClick={() => {
            show("settings");
          }}
        >
          <Icon name="settings" />
          {word("screen.settings")}
        </button>
      </section>
      <section className={s.act}>{reason === "no-nodes" ? <Bring /> : <Missing reason={reason} />}</section>
    </div>
  );
}

function Bring() {
  const word = useWord();
  const { tell, tellRefusal, show } = useScreen.getState();
  const { connect } = useStatus.getState();
  return (
    <AddForm
      later={word("first.later")}
      onAdded={(node, andConnect) => {
        show("connect");
        if (!andConnect) tell(say("add.added", { node: node.name }));
        else
          void connect(bridge(), node.id).then((refusal) => {
            if (useStatus.getState().status?.state.kind !== "failed") tellRefusal(refusal);
          });
      }}
    />
  );
}

/** Commands are facts of this system, not words: they are the same in every language. */
const commands: Record<Exclude<Reason, "no-nodes">, string> = {
  absent: "sudo systemctl start culvert",
  "not-allowed": 'sudo usermod -aG culvert "$USER"',
  "wrong-version": "sudo systemctl restart culvert",
};

function Missing({ reason }: { readonly reason: Exclude<Reason, "no-nodes"> }) {
  const word = useWord();
  const link = useStatus((store) => store.link);
  const version = usePreferences((store) => store.environment.version);
  const { setLink } = useStatus.getState();
  const helper = link?.kind === "wrong-version" ? link.version : "";
  return (
    <>
      <div className={`plate ${s.missing ?? ""}`}>
        <h2>{word(`first.${reason}.next`)}</h2>
        <p className="soft">{word(`first.${reason}.words`, { helper, window: version })}</p>
        <code className={`mono ${s.command ?? ""}`}>{commands[reason]}</code>
        <p className="label">{word(`first.${reason}.after`)}</p>
      </div>
      <div className={s.again}>
        <button type="button" className="btn big first" onClick={() => void bridge().link().then(setLink)}>
          {word("first.again")}
        </button>
      </div>
    </>
  );
}
