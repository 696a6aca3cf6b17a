// What a rule is for, as things that can be taken out again: programs with their pictures, accounts by their names.
import type { App } from "../../helper/contract/policy.ts";
import { useWord } from "../hooks.ts";
import { usePrograms } from "../stores/programs.ts";
import { accountName } from "../view/board.ts";
import { appKey, programOf, recognisedBy } from "../view/programs.ts";
import { Icon } from "./Icon.tsx";
import { ProgramPicture } from "./ProgramPicture.tsx";
import s from "./Chips.module.css";

interface ProgramsProps {
  readonly apps: readonly App[];
  readonly onChange: (apps: readonly App[]) => void;
}

export function ProgramChips({ apps, onChange }: ProgramsProps) {
  const word = useWord();
  const { programs } = usePrograms((store) => store.known);
  if (apps.length === 0) return <span className="soft">{word("rule.apps-any")}</span>;
  return (
    <ul className={s.chips}>
      {apps.map((app) => {
        const program = programOf(app, programs);
        return (
          <li key={appKey(app)} className={s.chip} title={recognisedBy(app)}>
            <ProgramPicture program={program} />
            <span className="cut">{program.name}</span>
            <Remove
              name={program.name}
              onPress={() => {
                onChange(apps.filter((one) => one !== app));
              }}
            />
          </li>
        );
      })}
    </ul>
  );
}

interface AccountsProps {
  readonly users: readonly number[];
  readonly onChange: (users: readonly number[]) => void;
}

export function AccountChips({ users, onChange }: AccountsProps) {
  const word = useWord();
  const known = usePrograms((store) => store.known);
  const others = known.accounts.filter((one) => !users.includes(one.uid));
  return (
    <>
      {users.length > 0 && (
        <ul className={s.chips}>
          {users.map((uid) => (
            <li key={uid} className={s.chip}>
              <Icon name="user" />
              <span className="cut">{accountName(uid, known)}</span>
              <Remove
                name={accountName(uid, known)}
                onPress={() => {
                  onChange(users.filter((one) => one !== uid));
                }}
              />
            </li>
          ))}
        </ul>
      )}
      <select
        className={`field ${s.select ?? ""}`}
        aria-label={word("rule.users")}
        value=""
        onChange={(event) => {
          if (event.target.value !== "") onChange([...users, Number(event.target.value)]);
        }}
      >
        <option value="">{word(users.length === 0 ? "rule.users-any" : "rule.users-more")}</option>
        {others.map(({ uid, name }) => (
          <option key={uid} value={uid}>
            {`${name} (${String(uid)})`}
          </option>
        ))}
      </select>
    </>
  );
}

function Remove({ name, onPress }: { readonly name: string; readonly onPress: () => void }) {
  const word = useWord();
  return (
    <button type="button" className={s.remove} aria-label={word("rule.without", { name })} onClick={onPress}>
      <Icon name="cross" />
    </button>
  );
}
