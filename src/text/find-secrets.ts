/**
 * Names of variables that hold a secret: OPENAI_API_KEY, GITHUB_TOKEN, AWS_SECRET_ACCESS_KEY, DB_PASSWORD_2; not
 * TOKENIZERS_PARALLELISM.
 */
const NAME =
  /(?:^|_)(?:(?:api|access|secret|private|auth)_?key|(?:auth|access)?token|secret|password|passwd|passphrase|credentials?)(?:_\w+)?$/i;
/** Where a secret is kept, or whose it is: PASSWORD_STORE_DIR, HF_TOKEN_PATH, AWS_ACCESS_KEY_ID. */
const ABOUT = /_(?:file|path|dir|folder|store|name|id|url|uri|endpoint|host|type|user)$/i;
/** Options of other programs. Ours take no secrets, but if one is given anyway, it must not be printed. */
const OPTION = /^--?[\w-]*(?:api-?key|password|secret)(?:=(.*))?$/i;
const ADDRESS_LOGIN = /(https?)?:\/\/([^\s/?#"'<>\\]{1,1024})@/gi;
const ADDRESS_TOKEN =
  /[?&](?:(?:access|auth)[_-]?token|token|api[_-]?key|key|secret|password)=([^\s&"'<>\\#]+)/gi;

/**
 * The secrets that a program was started with: values of variables whose names say so, logins and tokens in any
 * address, and values of options named like a key.
 * @param env environment variables
 * @param args of the command line
 * @returns as they are and, if they are part of an address, decoded as well; short ones included
 */
export function findSecrets(
  env: Readonly<Record<string, string | undefined>>,
  args: readonly string[] = [],
): readonly string[] {
  const values = Object.values(env).filter((value) => value !== undefined);
  const named = Object.entries(env).flatMap(([name, value = ""]) =>
    NAME.test(name) && !ABOUT.test(name) ? [value.trim()] : [],
  );
  const given = args.flatMap((arg, at) => {
    const option = OPTION.exec(arg);
    return option === null ? [] : (option[1] ?? args[at + 1] ?? []);
  });
  return [...new Set([...named, ...given, ...[...values, ...args].flatMap(secretsOfAddresses)])];
}

function secretsOfAddresses(text: string): string[] {
  if (!text.includes("://") && !text.includes("=")) return [];
  const logins = [...text.matchAll(ADDRESS_LOGIN)].flatMap(([, http, login = ""]) => {
    const colon = login.indexOf(":");
    if (colon === -1) return http === undefined ? [] : [login]; // http://token@, but ssh://git@
    return [login, login.slice(colon + 1)];
  });
  const tokens = [...text.matchAll(ADDRESS_TOKEN)].map(([, token = ""]) => token);
  return [...logins, ...tokens].flatMap((secret) => [secret, decodePercent(secret)]);
}

/** Decodes percent-encoding; returns the text itself if that fails. */
export function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
