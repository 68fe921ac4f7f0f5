/** The parameters of HTTP's `Digest` scheme, RFC 7616 §3, as they stand in headers. Pure, and of linear cost. */

export type Parameters = ReadonlyMap<string, string>

const parameter =
  /[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\[^])*)"|([!#$%&'*+.^_`|~0-9A-Za-z/-]+=*))[ \t]*(?=,|$)/y

/** More are an attack. */
const parametersMax = 32
const charactersMax = 16_384

/** What follows `Digest `: names in lower case. `undefined` for what is none, or has a name twice. */
export const parse = (text: string): Parameters | undefined => {
  if (text.length > charactersMax) return undefined
  const parameters = new Map<string, string>()
  const end = text.trimEnd().replace(/,$/, "")
  parameter.lastIndex = 0
  let at = 0
  while (at < end.length) {
    parameter.lastIndex = at
    const found = parameter.exec(end)
    if (found === null) return undefined
    const name = found[1]!.toLowerCase()
    if (parameters.has(name) || parameters.size >= parametersMax) return undefined
    parameters.set(name, found[2]?.replace(/\\([^])/g, "$1") ?? found[3]!)
    at = parameter.lastIndex
  }
  return parameters
}

/** Quoted, or a token: RFC 7616 says for each parameter which it must be. */
export type Value = { readonly quoted: string } | { readonly token: string }

/** `undefined` is left out. Throws a `TypeError` for characters that no header can have. */
export const format = (parameters: Readonly<Record<string, Value | undefined>>): string =>
  Object.entries(parameters)
    .flatMap(([name, value]) => {
      if (value === undefined) return []
      const text = "quoted" in value ? value.quoted : value.token
      if (/[^\t\x20-\x7e\x80-\xff]/.test(text))
        throw new TypeError(`${name} has characters that no header can have`)
      return "quoted" in value ? `${name}="${text.replace(/["\\]/g, "\\$&")}"` : `${name}=${text}`
    })
    .join(", ")
