/** The mechanisms there are, from strong to weak, and what each of them asks for. */

export interface Traits {
  readonly name: string
  /** Sends what others could use, so that nobody may listen. */
  readonly needsSecrecy: boolean
  /** Is tied to the TLS connection below it. */
  readonly needsBinding: boolean
  /** The credentials that a server makes of it. */
  readonly kind: "UsernamePassword" | "PasswordProof" | "ScramProof" | "External" | "Bearer" | "Anonymous"
  /** Whether it can say as whom to act. */
  readonly carriesAuthorization: boolean
}

const mechanism = (
  name: string,
  kind: Traits["kind"],
  traits: Partial<Omit<Traits, "name" | "kind">> = {}
): Traits => ({
  name,
  kind,
  needsSecrecy: false,
  needsBinding: false,
  carriesAuthorization: false,
  ...traits
})

/**
 * In the order in which a client takes them: what nobody between can use comes first, what the server proves itself by before
 * what it does not, and a password that is sent comes last.
 */
export const all: ReadonlyArray<Traits> = [
  mechanism("SCRAM-SHA-256-PLUS", "ScramProof", { needsBinding: true, carriesAuthorization: true }),
  mechanism("SCRAM-SHA-1-PLUS", "ScramProof", { needsBinding: true, carriesAuthorization: true }),
  mechanism("EXTERNAL", "External", { carriesAuthorization: true }),
  mechanism("SCRAM-SHA-256", "ScramProof", { carriesAuthorization: true }),
  mechanism("SCRAM-SHA-1", "ScramProof", { carriesAuthorization: true }),
  mechanism("OAUTHBEARER", "Bearer", { needsSecrecy: true }),
  mechanism("XOAUTH2", "Bearer", { needsSecrecy: true }),
  mechanism("CRAM-MD5", "PasswordProof"),
  mechanism("PLAIN", "UsernamePassword", { needsSecrecy: true, carriesAuthorization: true }),
  mechanism("LOGIN", "UsernamePassword", { needsSecrecy: true }),
  mechanism("ANONYMOUS", "Anonymous")
]
