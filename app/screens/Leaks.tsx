// What left beside the tunnel, counted, and the checks that tried to make it leave.
import { bridge } from "../bridge.ts";
import { useFacts, useSpeak, useWord } from "../hooks.ts";
import { Icon } from "../parts/Icon.tsx";
import { WireBars } from "../parts/WireBars.tsx";
import { useLeaks } from "../stores/leaks.ts";
import { useScreen } from "../stores/screen.ts";
import { useTraffic } from "../stores/traffic.ts";
import { headlineOf } from "../view/connect.ts";
import { checkRows, countOf, reportText, wireBars, type CheckRow } from "../view/leaks.ts";
import { sayRefusal } from "../view/refusal.ts";
import { say } from "../view/say.ts";
import { situationOf } from "../view/situation.ts";
import s from "./Leaks.module.css";

export function Leaks() {
  const facts = useFacts();
  const speak = useSpeak();
  const word = useWord();
  const { checks, running, refusal, check } = useLeaks();
  const samples = useTraffic((store) => store.samples);
  const { tell } = useScreen.getState();
  const situation = situationOf(facts);
  const count = countOf(situation, facts.status, facts.traffic);
  const rows = checkRows(checks ?? [], facts.now);
  const save = async (): Promise<void> => {
    const at = Date.now();
    const headline = headlineOf(situation, facts);
    const text = reportText({ at, headline, count, rows, status: facts.status }, speak);
    const day = new Date(at).toISOString().slice(0, 16).replace(/[:T]/g, "-");
    if (await bridge().saveText(`culvert-leaks-${day}.txt`, text)) tell(say("leaks.saved"));
  };
  return (
    <div className={`page ${s.page ?? ""}`}>
      <div className={s.top}>
        <section className={s.big}>
          <span className={`${s.count ?? ""} ${tone(count.value)}`}>
            {count.value === null ? "–" : speak(count.value)}
          </span>
          <div>
            <h1>{speak(count.title)}</h1>
            <p className="soft">{speak(count.detail)}</p>
            {count.missed != null && <p className={s.missed}>{speak(count.missed)}</p>}
          </div>
        </section>
        <div className="row">
          <button type="button" className="btn" disabled={checks === null} onClick={() => void save()}>
            <Icon name="save" />
            {word("leaks.save")}
          </button>
          <button type="button" className="btn" disabled={running} onClick={() => void check(bridge())}>
            {word(running ? "leaks.checking" : "leaks.check")}
          </button>
        </div>
      </div>
      {facts.traffic?.wire != null && <WireBars bars={wireBars(samples)} />}
      {refusal !== null && (
        <div className="note bad" role="alert">
          <Icon name="warn" />
          <p>{speak(sayRefusal(refusal))}</p>
        </div>
      )}
      {checks === null ? <p className="soft">{word("leaks.none-yet")}</p> : <Table rows={rows} />}
    </div>
  );
}

const tone = (value: number | null): string => (value === null ? (s.quiet ?? "") : value > 0 ? (s.leak ?? "") : "");

function Table({ rows }: { readonly rows: readonly CheckRow[] }) {
  const word = useWord();
  const speak = useSpeak();
  return (
    <table className={`tbl ${s.checks ?? ""}`}>
      <colgroup>
        <col className={s.markColumn} />
        <col className={s.nameColumn} />
        <col />
        <col className={`${s.ageColumn ?? ""} wide`} />
      </colgroup>
      <thead>
        <tr>
          <th>
            <span className="hidden">{word("leaks.verdict")}</span>
          </th>
          <th>{word("leaks.check-name")}</th>
          <th>{word("leaks.evidence")}</th>
          <th className="num wide">{word("leaks.checked")}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.name} data-verdict={row.verdict}>
            <td>
              <span
                className={`${s.mark ?? ""} ${s[row.verdict] ?? ""}`}
                role="img"
                aria-label={word(`verdict.${row.verdict}`)}
              >
                {row.verdict === "holds" && <Icon name="check" />}
                {row.verdict === "leaks" && <Icon name="cross" />}
              </span>
            </td>
            <td className={row.verdict === "not-checked" ? "" : "strong"}>{speak(row.title)}</td>
            <td className="soft">
              {row.verdict === "not-checked" ? word("leaks.not-checked", { why: row.evidence }) : speak(row.evidence)}
            </td>
            <td className="num label wide">{row.verdict === "not-checked" ? "" : speak(row.age)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
