"""Python transformers on CPU torch: answers one JSON line for each on standard input. See ../meaning.js.

{"ids": [B][S], "mask": [B][S]}            -> {"seconds", "cpuSeconds", "logits": [B][3]}
{"questions": [{question, answers, meanings}]} -> {"seconds", "cpuSeconds", "forwards"}: the loop that published code has
"""

import json
import sys
import time

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast


@torch.no_grad()
def main() -> None:
    folder, threads = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(threads)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()

    def run_batch(ids: list[list[int]], mask: list[list[int]]) -> dict:
        return {"logits": model(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask)).logits.tolist()}

    def implies(premise: str, hypothesis: str) -> None:
        inputs = tokenizer(premise, hypothesis, return_tensors="pt", return_token_type_ids=False)
        torch.argmax(torch.softmax(model(**inputs).logits, dim=1))

    def run_loop(questions: list[dict]) -> dict:
        """Each answer that no cluster has founds one, and is compared with all answers behind it: two calls a pair. The
        weights are random, so the meanings that the texts were made with stand for the verdicts."""
        forwards = 0
        for question in questions:
            texts = [f"{question['question']} {answer}" for answer in question["answers"]]
            meanings = question["meanings"]
            cluster = [-1] * len(texts)
            for i, first in enumerate(texts):
                if cluster[i] != -1:
                    continue
                cluster[i] = i
                for j in range(i + 1, len(texts)):
                    implies(first, texts[j])
                    implies(texts[j], first)
                    forwards += 2
                    if meanings[i] == meanings[j]:
                        cluster[j] = i
        return {"forwards": forwards}

    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        began, cpu = time.perf_counter(), time.process_time()
        result = run_loop(job["questions"]) if "questions" in job else run_batch(job["ids"], job["mask"])
        print(json.dumps({"seconds": time.perf_counter() - began, "cpuSeconds": time.process_time() - cpu, **result}), flush=True)


if __name__ == "__main__":
    main()
