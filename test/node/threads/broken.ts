/** Fails when it is loaded. */
const begin = (): void => {
  throw new Error("cannot begin")
}

begin()

export const never = (): number => 1
