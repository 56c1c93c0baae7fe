import { z } from "zod";
import { type DescribedSetting, setting } from "../../study/settings/setting.ts";
import { type Command, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { listOptions } from "../options.ts";

/**
 * Scripts that complete commands, options and their values. They hold all words themselves: a script that asked `sep` at
 * each press of the tab key would wait for Node to start.
 * @param listCommands all commands, this one among them
 */
export const createCompletion = (listCommands: () => readonly Command[]): Command =>
  defineCommand({
    name: "completion",
    summary: "print a script that completes commands, options and values in a shell",
    options: {
      shell: setting(z.enum(["bash", "zsh", "fish"]), "Shell that is to complete.", {
        placeholder: "SHELL",
        operand: "one",
      }),
    },
    examples: [
      { line: "sep completion bash", meaning: "append what it prints to ~/.bashrc" },
      { line: "sep completion zsh", meaning: "append it to ~/.zshrc, below the line with compinit" },
      { line: "sep completion fish", meaning: "write it to ~/.config/fish/completions/sep.fish" },
    ],
    async run({ shell }, { stdout }) {
      stdout.write(SCRIPTS[shell](listCommands().map(readWords)));
      return EXIT.ok;
    },
  });

/** What a shell can know of a command. */
interface CommandWords {
  readonly name: string;
  readonly summary: string;
  /** What it works on without an option's name, if anything. */
  readonly operand: DescribedSetting | undefined;
  readonly options: readonly DescribedSetting[];
}

function readWords({ name, summary, options }: Command): CommandWords {
  const listed = listOptions(options);
  return {
    name,
    summary,
    operand: listed.find((option) => option.operand !== undefined),
    options: listed.filter((option) => option.operand === undefined && !option.isRest),
  };
}

type WriteScript = (commands: readonly CommandWords[]) => string;

const writeBash: WriteScript = (commands) => `# Completion of sep in bash; made by \`sep completion bash\`.
${writeLookup(commands)}
_sep() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command= before= words
  COMPREPLY=()
  # --option=value is three words
  if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  if ((COMP_CWORD > 1)); then command=\${COMP_WORDS[1]}; fi
  case $command in ${groupsOf(commands).join("|")}) if ((COMP_CWORD > 2)); then command+=" \${COMP_WORDS[2]}"; fi ;; esac
  if [[ $prev != --* ]]; then prev=; fi
  words=$(_sep_words "$command" "$prev")
  if [[ $words == *@files* && $cur != -* ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
  fi
  # of a list, the last item
  if [[ $cur == *,* ]]; then before=\${cur%"\${cur##*,}"} cur=\${cur##*,}; fi
  COMPREPLY+=($(compgen -P "$before" -W "\${words//@files/}" -- "$cur"))
}
complete -F _sep sep
`;

const writeZsh: WriteScript = (commands) => `#compdef sep
# Completion of sep in zsh; made by \`sep completion zsh\`.
${writeLookup(commands)}
_sep() {
  local command= prev=\${words[CURRENT-1]} found
  if ((CURRENT == 2)); then
    local -a commands=(
${firstWords(commands)
  .map(([word, meaning]) => `      ${quote(`${word}:${meaning}`)}`)
  .join("\n")}
    )
    _describe command commands
    [[ $PREFIX == -* ]] && compadd -- --help --version
    return
  fi
  command=\${words[2]}
  case $command in ${groupsOf(commands).join("|")}) ((CURRENT > 3)) && command+=" \${words[3]}" ;; esac
  if [[ $PREFIX == --*=* ]]; then prev=\${PREFIX%%=*}; compset -P '*='; fi
  [[ $prev == --* ]] || prev=
  found=$(_sep_words "$command" "$prev")
  [[ $found == *@files* && $PREFIX != -* ]] && _files
  compset -P '*,'
  compadd -- \${(s: :)\${found//@files/}}
}
if [[ \${funcstack[1]} == _sep ]]; then _sep "$@"; else compdef _sep sep; fi
`;

const writeFish: WriteScript = (commands) => `# Completion of sep in fish; made by \`sep completion fish\`.
function __sep_at
    set -l words (commandline -opc)[2..]
    set -l command "$words[1]"
    if contains -- "$command" ${groupsOf(commands).join(" ")}; and test (count $words) -gt 1
        set command "$words[1..2]"
    end
    contains -- "$command" $argv
end
function __sep_list
    set -l before (commandline -ct | string replace -r '^--[^=]*=' '' | string replace -r '[^,]*$' '')
    printf '%s\\n' "$before"$argv
end
complete -c sep -f
complete -c sep -n '__sep_at ""' -l version -d 'Show versions'
complete -c sep -l help -d 'Show help'
${firstWords(commands)
  .map(([word, meaning]) => `complete -c sep -n '__sep_at ""' -a ${word} -d ${quoteFish(meaning)}`)
  .join("\n")}
${commands
  .filter(({ name }) => name.includes(" "))
  .map(({ name, summary }) => {
    const [group, second] = name.split(" ");
    return `complete -c sep -n '__sep_at ${group}' -a ${second} -d ${quoteFish(summary)}`;
  })
  .join("\n")}
${commands.flatMap(writeFishCommand).join("\n")}
`;

function writeFishCommand({ name, operand, options }: CommandWords): string[] {
  const at = `complete -c sep -n ${quoteFish(`__sep_at "${name}"`)}`;
  const values = (option: DescribedSetting): string => {
    const choices = option.choices.join(" ");
    const words = /LIST/.test(option.placeholder) ? `(__sep_list ${choices})` : choices;
    return `${takesFiles(option) ? " -F" : option.operand === undefined ? " -f" : ""}${choices === "" ? "" : ` -a ${quoteFish(words)}`}`;
  };
  return [
    ...(operand === undefined || values(operand) === "" ? [] : [`${at}${values(operand)}`]),
    ...options.map(
      (option) =>
        `${at} -l ${option.flag}${option.takesValue ? ` -r${values(option)}` : ""} -d ${quoteFish(option.help.replace(/[.;:] .*|[.]$/s, ""))}`,
    ),
  ];
}

/** `_sep_words COMMAND OPTION` for bash and zsh: the words that may follow; `@files` stands for names of files. */
function writeLookup(commands: readonly CommandWords[]): string {
  const values = new Map<string, string[]>();
  for (const { name, options } of commands)
    for (const option of options.filter(({ takesValue }) => takesValue)) {
      const words = wordsOf(option);
      values.set(words, [...(values.get(words) ?? []), quote(`${name} --${option.flag}`)]);
    }
  const groups = groupsOf(commands).map(
    (group) => [group, `${secondWords(commands, group).join(" ")} --help`] as const,
  );
  const starts = commands.map(({ name, operand, options }) => {
    const flags = [...options.map(({ flag }) => `--${flag}`), "--help"];
    return [name, [...(operand === undefined ? [] : [wordsOf(operand)]), ...flags].join(" ")] as const;
  });
  const top = [...firstWords(commands).map(([word]) => word), "--help", "--version"].join(" ");
  return `_sep_words() {
  case "$1 $2" in
${[...values].map(([words, keys]) => `    ${keys.join("|")}) echo ${quote(words)} ;;`).join("\n")}
    *) case "$1" in
${[["", top] as const, ...groups, ...starts].map(([name, words]) => `      ${quote(name)}) echo ${quote(words.trim())} ;;`).join("\n")}
    esac ;;
  esac
}`;
}

/** The first words of command lines, each with what it does; a group of commands has the words of its members. */
function firstWords(commands: readonly CommandWords[]): (readonly [word: string, meaning: string])[] {
  const groups = groupsOf(commands).map((group) => [group, secondWords(commands, group).join(", ")] as const);
  const alone = commands.flatMap(({ name, summary }) =>
    name.includes(" ") ? [] : [[name, summary] as const],
  );
  return [...alone, ...groups, ["help", "show the help of a command"]];
}

const groupsOf = (commands: readonly CommandWords[]): string[] => [
  ...new Set(commands.flatMap(({ name }) => (name.includes(" ") ? [name.split(" ")[0] as string] : []))),
];

const secondWords = (commands: readonly CommandWords[], group: string): string[] =>
  commands.flatMap(({ name }) => (name.startsWith(`${group} `) ? [name.slice(group.length + 1)] : []));

const wordsOf = (option: DescribedSetting): string =>
  [...option.choices, ...(takesFiles(option) ? ["@files"] : [])].join(" ");

const takesFiles = ({ placeholder }: DescribedSetting): boolean => /FILE|DIR|PATH/.test(placeholder);

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const quoteFish = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

const SCRIPTS: Readonly<Record<"bash" | "zsh" | "fish", WriteScript>> = {
  bash: writeBash,
  zsh: writeZsh,
  fish: writeFish,
};
