/** A filter kept in the address of the page. */
import { filter, query } from "../router";

interface Props {
  name: string;
  label: string;
  all: string;
  values: readonly string[];
  say: (value: string) => string;
}

export function Choice(props: Props) {
  return (
    <label>
      {props.label}{" "}
      <select
        name={props.name}
        value={query.value.get(props.name) ?? ""}
        onChange={(event) => filter(props.name, event.currentTarget.value)}
      >
        <option value="">{props.all}</option>
        {props.values.map((value) => (
          <option key={value} value={value}>
            {props.say(value)}
          </option>
        ))}
      </select>
    </label>
  );
}

export function Tick(props: { name: string; label: string }) {
  return (
    <label class="check">
      <input
        type="checkbox"
        name={props.name}
        checked={query.value.has(props.name)}
        onChange={(event) => filter(props.name, event.currentTarget.checked ? "1" : "")}
      />{" "}
      {props.label}
    </label>
  );
}
