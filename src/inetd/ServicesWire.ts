/** Ports by the names of services: what services(5) is, as a value. */

/** Ports by `name/protocol`. Aliases are names. */
export type Services = ReadonlyMap<string, number>

/** What the small services are called, for where there is no `/etc/services`. */
export const standard: Services = new Map(
  Object.entries({ tcpmux: 1, echo: 7, discard: 9, daytime: 13, qotd: 17, chargen: 19, time: 37 }).flatMap(
    ([name, port]) => [[`${name}/tcp`, port] as const, [`${name}/udp`, port] as const]
  )
)

/** Reads the text of `/etc/services`. A line that is none of `name port/protocol [alias...] [# comment]` is left out. */
export const parse = (text: string): Services => {
  const services = new Map<string, number>()
  for (const line of text.split("\n")) {
    const [name, where = "", ...aliases] = line.replace(/#.*/, "").trim().split(/\s+/)
    const found = /^(\d{1,5})\/(\w+)$/.exec(where)
    if (name === undefined || found === null) continue
    for (const each of [name, ...aliases]) {
      const key = `${each}/${found[2]}`
      if (Number(found[1]) <= 65_535 && !services.has(key)) services.set(key, Number(found[1]))
    }
  }
  return services
}

/** The port of a name, or of a number. */
export const portOf = (services: Services, name: string, protocol: "tcp" | "udp"): number | undefined => {
  if (/^\d{1,5}$/.test(name)) {
    const port = Number(name)
    return port >= 1 && port <= 65_535 ? port : undefined
  }
  return services.get(`${name}/${protocol}`) ?? standard.get(`${name}/${protocol}`)
}
