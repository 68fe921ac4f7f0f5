/** Times as finger(1) says them, in UTC. Pure. */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import { visible } from "../result/VisibleText.ts"
import type { Login } from "./FingerDirectory.ts"

/** `Sat 21 Nov 2026 14:30 (UTC)`. */
export const when = (time: DateTime.DateTime): string => {
  const [, text = ""] = /^(.*):\d\d GMT$/.exec(new Date(DateTime.toEpochMillis(time)).toUTCString()) ?? []
  return `${text.replace(",", "")} (UTC)`
}

/** `""` below a minute, `5` (minutes), `3:05`, `2d`. */
export const idle = (duration: Duration.Input): string => {
  const minutes = Math.floor(Duration.toMinutes(Duration.fromInputUnsafe(duration)))
  if (minutes < 1 || !Number.isFinite(minutes)) return ""
  if (minutes < 60) return String(minutes)
  const hours = Math.floor(minutes / 60)
  return hours < 24 ? `${hours}:${String(minutes % 60).padStart(2, "0")}` : `${Math.floor(hours / 24)}d`
}

/** One line. */
export const login = (of: Login): string => {
  const from = of.from === undefined ? "" : ` from ${visible(of.from)}`
  const still = of.idle === undefined ? "" : idle(of.idle)
  return `On since ${when(of.since)} on ${visible(of.terminal)}${from}${still === "" ? "" : `, idle ${still}`}`
}
