"""What is permitted: released policy documents, the limits they set, and the rules that check a plan against them."""
