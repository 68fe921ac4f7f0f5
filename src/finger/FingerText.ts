/** What is said about people, as text of lines. What can stand on one line is kept on one line. Pure. */
import { visible } from "../result/VisibleText.ts"
import type { Person } from "./FingerDirectory.ts"

/** RFC 1288 3.2.2, in its words. */
export const listingDenied = "Finger online user list denied"
/** RFC 1288 3.2.1, in its words. */
export const forwardingDenied = "Finger forwarding service denied"

/** As Twisted. */
export const nobody = (user: string): string => `Login: ${visible(user)}\nNo such user`

export const malformed = (detail: string): string => `Malformed query: ${visible(detail)}`

/** A line for each, in columns. */
export const listing = (people: ReadonlyArray<Person>): string => {
  if (people.length === 0) return "No one is listed"
  const rows = people.map(({ login, name, office, phone }) =>
    [login, name, office, phone].map((field) => visible(field ?? ""))
  )
  const table = [["Login", "Name", "Office", "Phone"], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]!.length)))
  return table
    .map((row) =>
      row
        .map((field, column) => field.padEnd(widths[column]!))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

/** One after another, as finger(1) shows them. */
export const profiles = (people: ReadonlyArray<Person>, verbose: boolean): string =>
  people.map((person) => profile(person, verbose)).join("\n\n")

const profile = (person: Person, verbose: boolean): string => {
  const field = (label: string, value: string | undefined) =>
    value === undefined ? [] : [`${label}: ${visible(value)}`]
  return [
    ...field("Login", person.login),
    ...field("Name", person.name),
    ...field("Office", person.office),
    ...field("Phone", person.phone),
    ...(verbose ? [...field("Directory", person.home), ...field("Shell", person.shell)] : []),
    ...field("Project", person.project),
    person.plan === undefined ? "No Plan." : `Plan:\n${person.plan.trimEnd()}`
  ].join("\n")
}
