/** What is in a directory, as a page or as JSON (`Accept`). Names are escaped in every place where they stand. Twisted: `DirectoryLister`. */
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Html from "./Html.ts"
import * as Negotiation from "./Negotiation.ts"

export interface Entry {
  readonly name: string
  readonly kind: "File" | "Directory"
  readonly sizeBytes: number
  readonly modifiedMillis: number
}

export interface Listing {
  /** Decoded, from where the files are mounted; empty for the root. */
  readonly segments: ReadonlyArray<string>
  readonly entries: ReadonlyArray<Entry>
  /** There are more than are shown. */
  readonly isCut: boolean
}

/** Directories first, then by code units: the same order everywhere. */
const order = (a: Entry, b: Entry): number =>
  a.kind === b.kind ? (a.name < b.name ? -1 : a.name > b.name ? 1 : 0) : a.kind === "Directory" ? -1 : 1

const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]

const sizeOf = (bytes: number): string => {
  let size = bytes
  let unit = 0
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit++
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`
}

/** The name as a relative reference: with `./` in front no colon in it makes it a scheme. */
const hrefOf = ({ kind, name }: Entry): string =>
  `./${encodeURIComponent(name)}${kind === "Directory" ? "/" : ""}`

const row = (entry: Entry): string => {
  const slash = entry.kind === "Directory" ? "/" : ""
  const modified = new Date(entry.modifiedMillis).toISOString().slice(0, 19)
  return (
    `<tr><td><a href="${Html.escape(hrefOf(entry))}">${Html.escape(entry.name)}${slash}</a></td>` +
    `<td class="n">${slash === "" ? sizeOf(entry.sizeBytes) : ""}</td><td>${modified.replace("T", " ")}</td></tr>`
  )
}

const page = ({ entries, isCut, segments }: Listing): string => {
  const title = `/${segments.map((segment) => `${segment}/`).join("")}`
  const up = segments.length === 0 ? "" : '<tr><td><a href="../">../</a></td><td></td><td></td></tr>'
  const rows = entries.map(row).join("\n")
  const cut = isCut ? `<p>There are more than these ${entries.length}.</p>` : ""
  return Html.page(
    `Directory ${title}`,
    `<h1>${Html.escape(title)}</h1><table><thead><tr><th>Name</th><th>Size</th><th>Changed (UTC)</th></tr></thead>` +
      `<tbody>${up}\n${rows}</tbody></table>${cut}`
  )
}

const headers = {
  vary: "Accept",
  "x-content-type-options": "nosniff",
  "cache-control": "no-cache",
  "content-security-policy": Html.contentSecurityPolicy
}

export const answer = (
  request: HttpServerRequest,
  listing: Listing
): HttpServerResponse.HttpServerResponse => {
  const entries = listing.entries.toSorted(order)
  if (Negotiation.mediaType(request.headers["accept"], ["text/html", "application/json"]) === "text/html") {
    return HttpServerResponse.text(page({ ...listing, entries }), {
      contentType: "text/html; charset=utf-8",
      headers
    })
  }
  const body = {
    path: `/${listing.segments.join("/")}`,
    entries: entries.map(({ kind, modifiedMillis, name, sizeBytes }) => ({
      name,
      kind: kind.toLowerCase(),
      ...(kind === "File" ? { size: sizeBytes } : {}),
      modified: new Date(modifiedMillis).toISOString()
    })),
    more: listing.isCut
  }
  return HttpServerResponse.text(`${JSON.stringify(body)}\n`, { contentType: "application/json", headers })
}
