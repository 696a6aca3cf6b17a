// One honest state, largest: what is true now, where the packets go, in a sentence with its exceptions, and four readings.
import { bridge } from "../bridge.ts";
import { useFacts, useLanguage, useSpeak, useWord } from "../hooks.ts";
import { Lamp } from "../parts/Lamp.tsx";
import { Notes } from "../parts/Notes.tsx";
import { Path } from "../parts/Path.tsx";
import { Spark } from "../parts/Spark.tsx";
import { useScreen } from "../stores/screen.ts";
import { useStatus } from "../stores/status.ts";
import { useTraffic } from "../stores/traffic.ts";
import { connectView, type Act, type ConnectView } from "../view/connect.ts";
import { pathFacts } from "../view/path-facts.ts";
import type { Reading } from "../view/readings.ts";
import { ms } from "../view/say.ts";
import s from "./Connect.module.css";

export function Connect() {
  const facts = useFacts();
  const speak = useSpeak();
  const language = useLanguage();
  const view = connectView(facts);
  const [first = "", ...rest] = view.words;
  const flows = (facts.traffic?.rxPerSecond ?? 0) + (facts.traffic?.txPerSecond ?? 0) > 0;
  return (
    <div className={`page ${s.page ?? ""}`} data-situation={view.situation}>
      <section className={`${s.top ?? ""} is-${view.lamp}`}>
        <span className={s.lamp}>
          <Lamp state={view.lamp} water={view.water} />
        </span>
        <h1>{speak(view.headline)}</h1>
        <p className={s.who}>
          {view.who.map((part, index) => (
            <span key={index}>{speak(part)}</span>
          ))}
          {view.addresses.map((address) => (
            <span key={address} className="mono">
              {address}
            </span>
          ))}
        </p>
      </section>
      <div className={s.path} data-flow={flows ? "on" : "off"}>
        <Path facts={pathFacts(view.situation, facts, speak)} />
      </div>
      <section className={s.words}>
        <div>
          <p>{speak(first)}</p>
          {rest.length > 0 && <p>{rest.map((words) => speak(words)).join(language === "zh" ? "" : " ")}</p>}
        </div>
        <Acts acts={view.acts} />
      </section>
      <Notes notes={view.notes} />
      {view.steps !== null && <Steps steps={view.steps} />}
      {view.readings.length > 0 && (
        <section className={s.readings}>
          {view.readings.map((reading) => (
            <ReadingOf key={reading.name} reading={reading} />
          ))}
        </section>
      )}
    </div>
  );
}

function Acts({ acts }: { readonly acts: readonly Act[] }) {
  const speak = useSpeak();
  const { connect, disconnect } = useStatus.getState();
  const wish = useStatus((store) => store.wish);
  const { show, tellRefusal } = useScreen.getState();
  const press = (act: Act): void => {
    if (act.kind === "choose") show("nodes");
    else if (act.kind === "leaks") show("leaks");
    // the screen itself tells why connecting failed, unless the wish was refused before it became a state
    else if (act.kind === "connect") {
      void connect(bridge(), act.node).then((refusal) => {
        if (useStatus.getState().status?.state.kind !== "failed") tellRefusal(refusal);
      });
    } else void disconnect(bridge()).then(tellRefusal);
  };
  return (
    <div className={s.acts}>
      {acts.map((act) => (
        <button
          key={act.kind}
          type="button"
          className={`btn big ${act.first ? "first" : ""}`}
          disabled={wish === act.kind}
          onClick={() => {
            press(act);
          }}
        >
          {speak(act.say)}
        </button>
      ))}
    </div>
  );
}

function Steps({ steps }: { readonly steps: NonNullable<ConnectView["steps"]> }) {
  const speak = useSpeak();
  const word = useWord();
  return (
    <ol className={s.steps}>
      {steps.map((step) => (
        <li key={step.name} className={s[step.state]} aria-current={step.state === "running" ? "step" : undefined}>
          <b>{word(`step.${step.name}`)}</b>
          <span className="label">
            {step.tookMs !== null ? speak(ms(step.tookMs, step.tookMs < 10 ? 1 : 0)) : word(`step.state.${step.state}`)}
          </span>
        </li>
      ))}
    </ol>
  );
}

function ReadingOf({ reading }: { readonly reading: Reading }) {
  const speak = useSpeak();
  const samples = useTraffic((store) => store.samples);
  return (
    <div className={s.reading} data-reading={reading.name}>
      <span className="label">{speak(reading.label)}</span>
      <span className={s.value}>
        <b className={s[reading.tone]}>{speak(reading.value)}</b>
        {reading.graph && <Spark values={samples.map((sample) => sample.rxPerSecond)} width={120} height={26} />}
      </span>
      <span className="label">{reading.detail === null ? "\u00a0" : speak(reading.detail)}</span>
    </div>
  );
}
