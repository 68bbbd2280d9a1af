META
key;value
description;"A street's budget; made up"
country;Nowhere
num_projects;3
num_votes;4
budget;1000
vote_type;approval
rule;greedy
PROJECTS
project_id;cost;name
7;300;"Benches; of ""oak"""
9;500;Trees
12;900;Crossing
VOTES
voter_id;age;vote
a;31;7,9
b;;12
c;55;9, 12
d;20;7,9,12
