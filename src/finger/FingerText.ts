/** What is said about people, as text of lines. What can stand on one line is kept on one line. Pure. */
import { visible } from "../result/VisibleText.ts"
import type { Login, Person } from "./FingerDirectory.ts"
import * as FingerTimes from "./FingerTimes.ts"

/** RFC 1288 3.2.2, in its words. */
export const listingDenied = "Finger online user list denied"
/** RFC 1288 3.2.1, in its words. */
export const forwardingDenied = "Finger forwarding service denied"

/** As Twisted. */
export const nobody = (user: string): string => `Login: ${visible(user)}\nNo such user`

export const malformed = (detail: string): string => `Malformed query: ${visible(detail)}`

/** A line for each, and for each of his logins, in columns; those that nobody has anything in are left out. */
export const listing = (people: ReadonlyArray<Person>): string => {
  if (people.length === 0) return "No one is listed"
  const rows = people.flatMap((person) => {
    const logins = person.logins ?? []
    return (logins.length === 0 ? [undefined] : logins).map((login) => row(person, login))
  })
  const table = [["Login", "Name", "TTY", "Idle", "When", "Office", "Phone"], ...rows]
  const told = table[0]!.flatMap((_, column) =>
    isOptional(column) && rows.every((row) => row[column] === "") ? [] : [column]
  )
  const widths = told.map((column) => Math.max(...table.map((row) => row[column]!.length)))
  return table
    .map((row) =>
      told
        .map((column, i) => row[column]!.padEnd(widths[i]!))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

/** What few know of. */
const isOptional = (column: number): boolean => column >= 2 && column <= 4

const row = ({ login, name, office, phone }: Person, at: Login | undefined): ReadonlyArray<string> =>
  [
    login,
    name,
    at?.terminal,
    at?.idle === undefined ? "" : FingerTimes.idle(at.idle),
    at === undefined ? "" : FingerTimes.when(at.since),
    office,
    phone
  ].map((field) => visible(field ?? ""))

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
    ...presence(person),
    ...field("Project", person.project),
    person.plan === undefined ? "No Plan." : `Plan:\n${person.plan.trimEnd()}`
  ].join("\n")
}

/** Where somebody is, or was; nothing, where nobody says. */
const presence = ({ lastLogin, logins }: Person): ReadonlyArray<string> => {
  if (logins !== undefined && logins.length > 0) return logins.map(FingerTimes.login)
  if (lastLogin !== undefined) return [`Last login ${FingerTimes.when(lastLogin)}`]
  return logins === undefined ? [] : ["Not logged in."]
}
